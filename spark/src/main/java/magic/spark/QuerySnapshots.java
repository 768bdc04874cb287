package magic.spark;

import java.lang.ref.Cleaner;
import java.lang.ref.WeakReference;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerApplicationEnd;
import org.apache.spark.scheduler.SparkListenerEvent;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.QueryPlanningTracker;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.execution.SQLExecution;
import org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionEnd;
import org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart;
import org.apache.spark.util.ThreadUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One snapshot for each query, whatever tables it reads: pinned when it is planned, and renewed
 * while it runs. Spark may run a plan again, as a DataFrame that is collected twice, so a snapshot
 * is released when its plan is forgotten; after a query's end it is not renewed, though, and of
 * those that have ended only the last few are kept.
 */
final class QuerySnapshots extends SparkListener {
  /** How many snapshots of queries that have ended are kept for a second run. */
  private static final int KEPT = 32;

  private static final Logger LOG = LoggerFactory.getLogger(QuerySnapshots.class);
  private static final Cleaner CLEANER = Cleaner.create();
  private static final Map<ConnectionOptions, QuerySnapshots> ALL = new ConcurrentHashMap<>();

  private final ConnectionOptions options;
  private final MagicClient client;
  private final SparkContext context;
  private final ScheduledExecutorService worker =
      ThreadUtils.newDaemonSingleThreadScheduledExecutor("magic-snapshots");
  /** The snapshot of each query, which is known by what tracks its planning. Its plan holds it. */
  private final Map<QueryPlanningTracker, WeakReference<PinnedSnapshot>> planned =
      new WeakHashMap<>();
  private final Map<PinnedSnapshot, TableFacts> facts = new WeakHashMap<>();
  private final Map<Long, Set<PinnedSnapshot>> running = new HashMap<>();
  /** Those of queries that have run, the earliest first. They are known by their names only. */
  private final Map<String, String> ended = new LinkedHashMap<>();
  private final Map<String, String> open = new HashMap<>();

  /** Those of this Spark application for these options. */
  static QuerySnapshots of(ConnectionOptions options) {
    return ALL.computeIfAbsent(options, QuerySnapshots::new);
  }

  private QuerySnapshots(ConnectionOptions options) {
    this.options = options;
    this.client = MagicClient.of(options);
    this.context = SparkSession.active().sparkContext();
    context.addSparkListener(this);
    long period = Math.max(1, options.snapshotLifetime().toMillis() / 3);
    worker.scheduleWithFixedDelay(this::renew, period, period, TimeUnit.MILLISECONDS);
  }

  /** The snapshot of the query that this thread plans; a new one outside of planning. */
  synchronized PinnedSnapshot ofQuery() {
    var tracker = QueryPlanningTracker.get();
    PinnedSnapshot known = tracker.isDefined() ? known(tracker.get()) : null;
    if (known != null) {
      return known;
    }
    PinnedSnapshot snapshot = PinnedSnapshot.open(client, options);
    String id = snapshot.id();
    open.put(id, snapshot.url());
    CLEANER.register(snapshot, () -> worker.execute(() -> release(id)));
    if (tracker.isDefined()) {
      planned.put(tracker.get(), new WeakReference<>(snapshot));
    }
    return snapshot;
  }

  /** Into which parts the tables of a snapshot are divided. */
  synchronized TableFacts facts(PinnedSnapshot snapshot) {
    return facts.computeIfAbsent(snapshot, TableFacts::new);
  }

  /** Notes that a query at this snapshot runs, if one does in this thread. */
  void begin(PinnedSnapshot snapshot) {
    String execution = context.getLocalProperty(SQLExecution.EXECUTION_ID_KEY());
    if (execution != null) {
      begin(Long.parseLong(execution), snapshot);
    }
  }

  private synchronized void begin(long execution, PinnedSnapshot snapshot) {
    running.computeIfAbsent(execution, ignored -> new HashSet<>()).add(snapshot);
    ended.remove(snapshot.id());
  }

  @Override
  public void onOtherEvent(SparkListenerEvent event) {
    if (event instanceof SparkListenerSQLExecutionStart start) {
      QueryExecution query = SQLExecution.getQueryExecution(start.executionId());
      PinnedSnapshot snapshot = query == null ? null : known(query.tracker());
      if (snapshot != null) {
        begin(start.executionId(), snapshot);
      }
    } else if (event instanceof SparkListenerSQLExecutionEnd end) {
      end(end.executionId());
    }
  }

  @Override
  public void onApplicationEnd(SparkListenerApplicationEnd event) {
    ALL.remove(options, this);
    worker.shutdownNow();
    Set<String> left;
    synchronized (this) {
      left = Set.copyOf(open.keySet());
    }
    left.forEach(this::release);
  }

  private synchronized PinnedSnapshot known(QueryPlanningTracker tracker) {
    WeakReference<PinnedSnapshot> snapshot = planned.get(tracker);
    return snapshot == null ? null : snapshot.get();
  }

  private synchronized void end(long execution) {
    Set<PinnedSnapshot> left = running.remove(execution);
    for (PinnedSnapshot snapshot : left == null ? Collections.<PinnedSnapshot>emptySet() : left) {
      if (open.containsKey(snapshot.id())
          && running.values().stream().noneMatch(others -> others.contains(snapshot))) {
        ended.put(snapshot.id(), snapshot.url());
      }
    }
    for (Iterator<String> ids = ended.keySet().iterator(); ended.size() > KEPT; ) {
      String id = ids.next();
      ids.remove();
      worker.execute(() -> release(id));
    }
  }

  private void renew() {
    Set<PinnedSnapshot> snapshots = new HashSet<>();
    synchronized (this) {
      running.values().forEach(snapshots::addAll);
    }
    for (PinnedSnapshot snapshot : snapshots) {
      ask(snapshot.url(), "snapshots/renew", snapshot.id());
    }
  }

  private void release(String id) {
    String url;
    synchronized (this) {
      ended.remove(id);
      url = open.remove(id);
    }
    if (url != null) {
      ask(url, "snapshots/release", id);
    }
  }

  /** A failure is told by those who read at the snapshot. */
  private void ask(String url, String route, String id) {
    try {
      client.call(url, route, MagicClient.object().put("snapshot", id));
    } catch (MagicException error) {
      LOG.info("{}", error.getMessage());
    }
  }
}
