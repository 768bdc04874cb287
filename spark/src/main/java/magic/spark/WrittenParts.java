package magic.spark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.apache.spark.sql.connector.write.WriterCommitMessage;

/**
 * What a task has written: the names of its parts of the transaction.
 *
 * @param deletions the part with the keys of rows that go; null when none does
 * @param rows the part with rows; null when there are none
 */
record WrittenParts(String deletions, String rows) implements WriterCommitMessage {
  /**
   * The parts of all tasks, in the order in which they take effect: a key that one task gives up
   * another one may give to its row.
   */
  static List<String> all(WriterCommitMessage[] messages) {
    List<WrittenParts> parts = new ArrayList<>();
    Arrays.stream(messages).filter(Objects::nonNull).forEach(each -> parts.add((WrittenParts) each));
    return Stream.concat(
            parts.stream().map(WrittenParts::deletions), parts.stream().map(WrittenParts::rows))
        .filter(Objects::nonNull).toList();
  }
}
