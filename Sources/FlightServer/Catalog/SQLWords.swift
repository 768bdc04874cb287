/// Words of the engine's SQL that tools offer to people who write statements.
enum SQLWords {
  /// Those that SQL-92 does not have.
  static let keywords = words(
    """
    ANTI ARRAY ASOF ATTACH CLUSTER CODEC DATABASE DETACH DICTIONARY ENGINE FINAL FORMAT GLOBAL ILIKE
    IMPORT INTERPOLATE LIMIT MATERIALIZED MUTATION OFFSET OPTIMIZE OUTFILE PARTITION PREWHERE QUALIFY
    RENAME REPLACE SAMPLE SELRAW SEMI SETTINGS SHOW TOP TOTALS TRUNCATE TTL UPSERT USE WINDOW
    """)

  static let numericFunctions = words(
    """
    abs acos asin atan atan2 cbrt ceil cos cosh degrees erf exp exp10 exp2 floor gcd intDiv lcm log
    log10 log2 max2 min2 modulo negate pi plus pow radians round roundBankers sign sin sinh sqrt tan
    tanh tgamma trunc
    """)

  static let textFunctions = words(
    """
    ascii base64Decode base64Encode char concat concatWithSeparator empty endsWith extract format hex
    initcap left length lengthUTF8 like locate lower lowerUTF8 lpad match notEmpty position repeat
    replaceAll replaceOne replaceRegexpAll replaceRegexpOne reverse right rpad soundex space
    splitByChar splitByString startsWith substring substringUTF8 translate trim trimLeft trimRight
    unhex upper upperUTF8
    """)

  static let systemFunctions = words(
    """
    coalesce currentDatabase currentUser ifNull isNull isNotNull nullIf queryID serverTimezone
    timezone toTypeName uptime version
    """)

  static let timeFunctions = words(
    """
    addDays addHours addMinutes addMonths addQuarters addSeconds addWeeks addYears dateAdd dateDiff
    dateSub date_trunc formatDateTime fromUnixTimestamp monthName now now64 parseDateTime
    parseDateTimeBestEffort timeSlot toDate toDateTime toDateTime64 toDayOfMonth toDayOfWeek
    toDayOfYear toHour toISOWeek toISOYear toMinute toMonday toMonth toQuarter toSecond
    toStartOfDay toStartOfHour toStartOfInterval toStartOfMinute toStartOfMonth toStartOfQuarter
    toStartOfWeek toStartOfYear toUnixTimestamp toWeek toYYYYMM toYYYYMMDD toYear today yesterday
    """)

  private static func words(_ text: String) -> [String] {
    text.split(whereSeparator: \.isWhitespace).map(String.init)
  }
}
