-- What tells about tables shows the visible columns, and the table as its user declared it.

CREATE DATABASE sql_show;
CREATE TABLE sql_show.t (
  id UInt32 COMMENT 'the key', n Nullable(Int32) DEFAULT 5, s LowCardinality(String) CODEC(ZSTD(3)))
  ENGINE = MutableMergeTree ORDER BY id COMMENT 'all about t';
CREATE TABLE sql_show.plain (a UInt8) ENGINE = MergeTree ORDER BY a;
INSERT INTO sql_show.t (id) VALUES (1), (2);
UPDATE sql_show.t SET n = 6 WHERE id = 1;

DESCRIBE TABLE sql_show.t;
--~ id	UInt32
--~ n	Nullable(Int32)
--~ s	LowCardinality(String)
--^ _INTERNAL
DESC sql_show.t;
--~ s	LowCardinality(String)
--^ _INTERNAL
DESCRIBE sql_show.t FORMAT CSV;
--~ "n","Nullable(Int32)"
--^ _INTERNAL
-- The rest of what was declared.
DESCRIBE TABLE sql_show.t;
--~ the key
--~ DEFAULT	5
--~ ZSTD(3)
DESCRIBE (SELECT * FROM sql_show.t) FORMAT TSV;
--~ n	Nullable(Int32)
--^ _INTERNAL
DESCRIBE TABLE sql_show.nosuch;
--! nosuch
SHOW COLUMNS FROM t FROM sql_show;
--~ id	UInt32
--^ _INTERNAL
SHOW FULL COLUMNS FROM sql_show.t;
--~ id	UInt32
--^ _INTERNAL
SELECT name, type FROM system.columns WHERE database = 'sql_show' AND table = 't' ORDER BY position;
--> id	UInt32
--> n	Nullable(Int32)
--> s	LowCardinality(String)
SELECT column_name, ordinal_position FROM information_schema.columns
  WHERE table_schema = 'sql_show' AND table_name = 't' ORDER BY ordinal_position;
--> id	1
--> n	2
--> s	3
SHOW CREATE TABLE sql_show.t;
--~ CREATE TABLE sql_show.t
--~ `id` UInt32
--~ COMMENT \'the key\'
--~ `n` Nullable(Int32) DEFAULT 5
--~ `s` LowCardinality(String)
--~ ENGINE = MutableMergeTree
--~ ORDER BY id
--~ COMMENT \'all about t\'
--^ _INTERNAL
--^ CREATE VIEW
--^ _magic
SHOW CREATE sql_show.t;
--~ ENGINE = MutableMergeTree
--^ _INTERNAL
SHOW TABLE sql_show.t;
--~ ENGINE = MutableMergeTree
--^ _INTERNAL
SHOW CREATE TABLE sql_show.t FORMAT TSVRaw;
--~ ENGINE = MutableMergeTree
--^ _INTERNAL
SHOW CREATE TABLE sql_show.plain;
--~ ENGINE = MergeTree
--^ Mutable
SHOW CREATE TABLE sql_show.nosuch;
--! nosuch
SHOW TABLES FROM sql_show;
--> plain
--> t
SHOW TABLES FROM sql_show LIKE 't%';
--> t
SHOW FULL TABLES FROM sql_show LIKE 'plain';
--~ plain
SELECT name FROM system.tables WHERE database = 'sql_show' ORDER BY name;
--> plain
--> t
SELECT table_name FROM information_schema.tables WHERE table_schema = 'sql_show'
  ORDER BY table_name;
--> plain
--> t
EXISTS TABLE sql_show.t;
--> 1
EXISTS sql_show.t;
--> 1
EXISTS TABLE sql_show.nosuch;
--> 0
SHOW CREATE DATABASE sql_show;
--~ sql_show
SHOW DATABASES LIKE 'sql_show';
--> sql_show
CHECK TABLE sql_show.t SETTINGS check_query_single_value_result = 1;
--> 1
CHECK TABLE sql_show.t;
--~
SELECT name FROM system.databases WHERE name = 'sql_show';
--> sql_show

-- What SHOW CREATE TABLE says can be said to make the same table.

CREATE TABLE sql_show.old (a UInt32, b String, n Int32) ENGINE = MutableMergeTree((a, b), 8192);
SHOW CREATE TABLE sql_show.old;
--~ MutableMergeTree
--~ `b` String
--^ _INTERNAL
ALTER TABLE sql_show.old ADD COLUMN more Array(UInt8) DEFAULT [1, 2];
ALTER TABLE sql_show.old COMMENT COLUMN n 'a number';
SHOW CREATE TABLE sql_show.old;
--~ `more` Array(UInt8) DEFAULT [1, 2]
--~ a number
--^ _INTERNAL
SELECT name, type FROM system.columns WHERE database = 'sql_show' AND table = 'old'
  ORDER BY position;
--> a	UInt32
--> b	String
--> n	Int32
--> more	Array(UInt8)
RENAME TABLE sql_show.old TO sql_show.renamed;
SHOW CREATE TABLE sql_show.renamed;
--~ sql_show.renamed
--^ sql_show.old
SHOW TABLES FROM sql_show;
--> plain
--> renamed
--> t
CREATE TABLE sql_show.parted (d Date, id UInt32) ENGINE = MutableMergeTree
  PARTITION BY toYYYYMM(d) ORDER BY (d, id) SETTINGS index_granularity = 1024;
SHOW CREATE TABLE sql_show.parted;
--~ PARTITION BY toYYYYMM(d)
--~ ORDER BY (d, id)
--~ index_granularity = 1024
--^ _INTERNAL

-- The user's names of quotes and bytes.

CREATE TABLE sql_show.`od"d ``täble` (`a b` UInt32, `c``d` String, `größe` Int8)
  ENGINE = MutableMergeTree ORDER BY `a b`;
INSERT INTO sql_show.`od"d ``täble` VALUES (1, 'x', 1);
UPDATE sql_show.`od"d ``täble` SET `c``d` = 'y', `größe` = 2 WHERE `a b` = 1;
--# 1
SELECT `a b`, `c``d`, `größe` FROM sql_show.`od"d ``täble`;
--> 1	y	2
DESCRIBE TABLE sql_show.`od"d ``täble` FORMAT TSVRaw;
--~ größe	Int8
--~ c`d	String
--^ _INTERNAL
EXISTS TABLE sql_show.`od"d ``täble`;
--> 1
DROP TABLE sql_show.`od"d ``täble`;

DROP DATABASE sql_show;
EXISTS DATABASE sql_show;
--> 0
