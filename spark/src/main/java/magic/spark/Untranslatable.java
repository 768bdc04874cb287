package magic.spark;

/** Not an error: something stays with Spark. */
final class Untranslatable extends Exception {
  Untranslatable() {
    super(null, null, false, false);
  }

  /** @throws Untranslatable unless the condition holds */
  static void require(boolean condition) throws Untranslatable {
    if (!condition) {
      throw new Untranslatable();
    }
  }
}
