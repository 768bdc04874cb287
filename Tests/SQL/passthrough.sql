-- What is no business of the layer reaches the engine as it is.

CREATE DATABASE sql_plain;
CREATE TABLE sql_plain.m (id UInt32, n Int32) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_plain.m VALUES (1, 1), (2, 2);

-- A plain table's own changes.

CREATE TABLE sql_plain.t (id UInt32, n Int32, s String, m Int32 MATERIALIZED n * 2,
  a Int32 ALIAS n + 1) ENGINE = MergeTree PARTITION BY n % 2 ORDER BY id
  SETTINGS enable_block_number_column = 1, enable_block_offset_column = 1;
INSERT INTO sql_plain.t VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 3, 'c');
SELECT *, m, a FROM sql_plain.t ORDER BY n;
--> 1	1	a	2	2
--> 1	2	b	4	3
--> 2	3	c	6	4
ALTER TABLE sql_plain.t DELETE WHERE n = 2 SETTINGS mutations_sync = 2;
ALTER TABLE sql_plain.t UPDATE s = 'x' WHERE id = 2 SETTINGS mutations_sync = 2;
SELECT * FROM sql_plain.t ORDER BY n;
--> 1	1	a
--> 2	3	x
UPDATE sql_plain.t SET s = 'updated' WHERE id = 1;
SELECT * FROM sql_plain.t ORDER BY n;
--> 1	1	updated
--> 2	3	x
DELETE FROM sql_plain.t WHERE id = 2;
SELECT * FROM sql_plain.t ORDER BY n;
--> 1	1	updated
DELETE FROM sql_plain.t;
--!
INSERT INTO sql_plain.t VALUES (5, 5, 'e'), (6, 6, 'f');
ALTER TABLE sql_plain.t DROP PARTITION 1;
SELECT * FROM sql_plain.t ORDER BY id;
--> 6	6	f
ALTER TABLE sql_plain.t ADD COLUMN _INTERNAL_VERSION UInt64 DEFAULT 9;
SELECT id, _INTERNAL_VERSION FROM sql_plain.t;
--> 6	9
ALTER TABLE sql_plain.t DROP COLUMN _INTERNAL_VERSION;
ALTER TABLE sql_plain.t ADD PROJECTION p (SELECT n ORDER BY n);
ALTER TABLE sql_plain.t MODIFY TTL toDateTime('2100-01-01 00:00:00') + toIntervalDay(n);
SHOW CREATE TABLE sql_plain.t;
--~ PROJECTION p
--~ ENGINE = MergeTree
SELECT id FROM sql_plain.t PREWHERE n = 6;
--> 6
DETACH TABLE sql_plain.t;
ATTACH TABLE sql_plain.t;
SELECT count() FROM sql_plain.t;
--> 1
OPTIMIZE TABLE sql_plain.t FINAL;
CHECK TABLE sql_plain.t SETTINGS check_query_single_value_result = 1;
--> 1
CREATE TABLE sql_plain.cloned CLONE AS sql_plain.t;
SELECT count() FROM sql_plain.cloned;
--> 1
TRUNCATE TABLE sql_plain.t;
RENAME TABLE sql_plain.t TO sql_plain.t2;
EXCHANGE TABLES sql_plain.t2 AND sql_plain.cloned;
SELECT count() FROM sql_plain.t2;
--> 1
DROP TABLE sql_plain.cloned;

-- Other engines.

CREATE TABLE sql_plain.replacing (id UInt32, n Int32) ENGINE = ReplacingMergeTree(n) ORDER BY id;
INSERT INTO sql_plain.replacing VALUES (1, 1);
INSERT INTO sql_plain.replacing VALUES (1, 2);
SELECT * FROM sql_plain.replacing FINAL;
--> 1	2
CREATE TABLE sql_plain.summing (id UInt32, n Int32) ENGINE = SummingMergeTree ORDER BY id;
INSERT INTO sql_plain.summing VALUES (1, 1), (1, 2);
OPTIMIZE TABLE sql_plain.summing FINAL;
SELECT * FROM sql_plain.summing;
--> 1	3
CREATE TABLE sql_plain.memory (id UInt32) ENGINE = Memory;
CREATE TABLE sql_plain.log (id Float64) ENGINE = Log;
INSERT INTO sql_plain.memory SELECT id FROM sql_plain.m;
INSERT INTO sql_plain.log SELECT id FROM sql_plain.memory;
SELECT sum(id) FROM sql_plain.log;
--> 3
CREATE TABLE sql_plain.unordered (id Float64) ENGINE = MergeTree ORDER BY tuple();
CREATE TABLE sql_plain.buffer (id UInt32) ENGINE = Null;
INSERT INTO sql_plain.buffer SELECT number FROM numbers(10);
CREATE MATERIALIZED VIEW sql_plain.mv TO sql_plain.memory AS SELECT id FROM sql_plain.buffer;
INSERT INTO sql_plain.buffer VALUES (7);
SELECT max(id) FROM sql_plain.memory;
--> 7
CREATE TABLE sql_plain.nosuch (id UInt8) ENGINE = NoSuchMergeTree ORDER BY id;
--! NoSuchMergeTree
CREATE FUNCTION sql_plain_add AS (x) -> x + 1;
SELECT sql_plain_add(id) FROM sql_plain.m WHERE id = 1;
--> 2
UPDATE sql_plain.m SET n = sql_plain_add(n) WHERE id = 1;
--# 1
DROP FUNCTION sql_plain_add;

-- Statements that have the words of the layer, or the names of its tables, in them.

SELECT 'UPDATE sql_plain.m SET n = 1', 'SELRAW', 'ENGINE = MutableMergeTree';
--> UPDATE sql_plain.m SET n = 1	SELRAW	ENGINE = MutableMergeTree
SELECT 1 AS `update`, 2 AS `delete`, 3 AS import, 4 AS upsert, 5 AS selraw;
--> 1	2	3	4	5
SELECT `update` + 1 FROM (SELECT 1 AS `update`);
--> 2
CREATE TABLE sql_plain.MutableMergeTree (id UInt8, s String DEFAULT 'ENGINE = MutableMergeTree')
  ENGINE = MergeTree ORDER BY id COMMENT 'ENGINE = MutableMergeTree';
INSERT INTO sql_plain.MutableMergeTree (id) VALUES (1), (1);
SELECT * FROM sql_plain.MutableMergeTree;
--> 1	ENGINE = MutableMergeTree
--> 1	ENGINE = MutableMergeTree
UPSERT INTO sql_plain.MutableMergeTree VALUES (1, 'x');
--!
CREATE TABLE sql_plain.`upsert` (`import` UInt8) ENGINE = Memory;
INSERT INTO sql_plain.`upsert` VALUES (1);
SELECT `import` FROM sql_plain.`upsert`;
--> 1
CREATE TABLE sql_plain.words (s String) ENGINE = Memory;
INSERT INTO sql_plain.words VALUES ('IMPORT INTO sql_plain.m'), ('DELETE FROM sql_plain.m WHERE 1');
INSERT INTO sql_plain.words FORMAT CSV
"UPDATE sql_plain.m SET n = 0 WHERE 1;"
"SELRAW * FROM sql_plain.m"
;
SELECT count() FROM sql_plain.words;
--> 4
SELECT m.n FROM (SELECT 1 AS n) AS m;
--> 1
WITH m AS (SELECT 3 AS n) SELECT n FROM m;
--> 3
SELECT sql_plain.t2.id FROM sql_plain.t2;
--> 6

-- What has nothing to do with tables.

SELECT 1 + 1;
--> 2
SELECT number FROM numbers(3) ORDER BY number DESC;
--> 2
--> 1
--> 0
SELECT {a: 1}:: Map(String, UInt8);
--? Syntax
SELECT $$a heredoc; with 'quotes'$$, $tag$and $$ more$tag$;
--> a heredoc; with \'quotes\'	and $$ more
SELECT toInt32('x');
--! Code: 6
SELEKT 1;
--! Code: 62
SELECT nosuch;
--! Code: 47
SELECT * FROM nosuch;
--! Code: 60
SELECT throwIf(1, 'own text');
--! own text
SET max_threads = 1;
USE sql_plain;
SELECT currentDatabase();
--> default
SHOW TABLES FROM sql_plain LIKE 'm';
--> m
EXPLAIN SYNTAX SELECT 1;
--~ SELECT 1
SYSTEM FLUSH LOGS;
KILL QUERY WHERE 0;
SELECT count() FROM system.one;
--> 1
SELECT 'ünï', '日本', '😀', 'a\0b', '\\';
--> ünï	日本	😀	a\0b	\\
SELECT 1 FORMAT JSONEachRow;
--> {"1":1}
SELECT 1 AS x INTO OUTFILE '/tmp/never';
--! OUTFILE
-- and a comment with a quote: '

-- The mutable table was beside all of that.

SELECT * FROM sql_plain.m ORDER BY id;
--> 1	2
--> 2	2

DROP DATABASE sql_plain;
