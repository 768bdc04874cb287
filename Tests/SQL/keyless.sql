-- Tables without a key: an INSERT only adds rows, and equal rows stay.

CREATE DATABASE sql_keyless;
CREATE TABLE sql_keyless.t (a UInt32, s String DEFAULT 'none') ENGINE = MutableMergeTree;
INSERT INTO sql_keyless.t VALUES (1, 'x'), (1, 'x'), (2, 'y');
--# 3
INSERT INTO sql_keyless.t (a) VALUES (2), (1);
--# 2
SELECT * FROM sql_keyless.t ORDER BY a, s;
--> 1	none
--> 1	x
--> 1	x
--> 2	none
--> 2	y
UPDATE sql_keyless.t SET s = concat(s, '!'), a = a + 10 WHERE t.s = 'x';
--# 2
SELECT * FROM sql_keyless.t ORDER BY a, s;
--> 1	none
--> 2	none
--> 2	y
--> 11	x!
--> 11	x!
UPDATE sql_keyless.t SET s = 'z' WHERE s = 'none';
--# 2
DELETE FROM sql_keyless.t WHERE a IN (SELECT a FROM sql_keyless.t WHERE s = 'y');
--# 2
SELECT a, count() FROM sql_keyless.t GROUP BY a ORDER BY a;
--> 1	1
--> 11	2
INSERT INTO sql_keyless.t SELECT * FROM sql_keyless.t;
--# 3
SELECT a, count() FROM sql_keyless.t GROUP BY a ORDER BY a;
--> 1	2
--> 11	4
DELETE FROM sql_keyless.t WHERE s = 'nothing';
--# 0
UPDATE sql_keyless.t SET s = 'w' WHERE a = 1;
--# 2
SELECT s, count() FROM sql_keyless.t GROUP BY s ORDER BY s;
--> w	2
--> x!	4

-- What needs a key is refused.

UPSERT INTO sql_keyless.t VALUES (1, 'x');
--! has no key
IMPORT INTO sql_keyless.t (a, s, _INTERNAL_VERSION, _INTERNAL_DELMARK) VALUES (1, 'x', 1, 0);
--! has no key
INSERT INTO sql_keyless.t (a, _INTERNAL_ROW) VALUES (1, 1);
--! hidden column
UPDATE sql_keyless.t SET _INTERNAL_ROW = 1 WHERE 1;
--! hidden column
ALTER TABLE sql_keyless.t DROP COLUMN _INTERNAL_ROW;
--! hidden column
ALTER TABLE sql_keyless.t MODIFY ORDER BY a;
--! mutable table
SELECT _INTERNAL_ROW FROM (SELECT * FROM sql_keyless.t);
--! _INTERNAL_ROW
DELETE FROM sql_keyless.t;
--! WHERE 1 means all rows
CREATE TABLE sql_keyless.p (a UInt32) ENGINE = MutableMergeTree PARTITION BY a;
--! PARTITION BY
CREATE TABLE sql_keyless.p (a Date) ENGINE = MutableMergeTree TTL a + INTERVAL 1 DAY;
--! TTL
CREATE TABLE sql_keyless.p (_INTERNAL_ROW Date) ENGINE = MutableMergeTree;
--! hidden column

-- The column that identifies a row appears nowhere.

SELECT *, t.*, 2 * 3 FROM sql_keyless.t WHERE _INTERNAL_ROW >= 0 AND a = 1 LIMIT 1 FORMAT TSVWithNames;
--> a	s	a	s	multiply(2, 3)
--> 1	w	1	w	6
SELECT count(DISTINCT _INTERNAL_ROW) FROM sql_keyless.t AS x WHERE x.a = 1;
--> 2
SELECT COLUMNS('.*') FROM sql_keyless.t WHERE a = 1 LIMIT 1 FORMAT TSVWithNames;
--> a	s
--> 1	w
DESCRIBE TABLE sql_keyless.t;
--~ s	String	DEFAULT	\'none\'
--^ _INTERNAL
SELECT name FROM system.columns WHERE database = 'sql_keyless' ORDER BY name;
--> a
--> s
SHOW CREATE TABLE sql_keyless.t;
--> CREATE TABLE sql_keyless.t\n(\n    `a` UInt32,\n    `s` String DEFAULT \'none\'\n)\nENGINE = MutableMergeTree\nORDER BY tuple()\nSETTINGS index_granularity = 8192
SELRAW count() > 5, min(_INTERNAL_ROW) > 0 FROM sql_keyless.t;
--> 1	1

-- ALTER.

ALTER TABLE sql_keyless.t ADD COLUMN n Int32 DEFAULT 7 FIRST, COMMENT COLUMN a 'first';
ALTER TABLE sql_keyless.t RENAME COLUMN a TO b, MODIFY COLUMN s LowCardinality(String);
SELECT * FROM sql_keyless.t ORDER BY b, s LIMIT 1;
--> 7	1	w
INSERT INTO sql_keyless.t (b) VALUES (3);
UPDATE sql_keyless.t SET n = b WHERE b < 10;
--# 3
ALTER TABLE sql_keyless.t DROP COLUMN s;
SELECT n, b, count() FROM sql_keyless.t GROUP BY ALL ORDER BY ALL;
--> 1	1	2
--> 3	3	1
--> 7	11	4
DESCRIBE TABLE sql_keyless.t FORMAT TSV;
--~ n	Int32	DEFAULT	7
--^ _INTERNAL

-- As a whole.

RENAME TABLE sql_keyless.t TO sql_keyless.u;
DELETE FROM sql_keyless.u WHERE b = 11;
--# 4
CREATE TABLE sql_keyless.t AS sql_keyless.u;
INSERT INTO sql_keyless.t SELECT * FROM sql_keyless.u;
EXCHANGE TABLES sql_keyless.t AND sql_keyless.u;
UPDATE sql_keyless.u SET n = 0 WHERE n = 3;
--# 1
SELECT (SELECT sum(n) FROM sql_keyless.t), (SELECT sum(n) FROM sql_keyless.u);
--> 5	2
OPTIMIZE TABLE sql_keyless.u FINAL;
CHECK TABLE sql_keyless.u;
--~ 1
TRUNCATE TABLE sql_keyless.u;
SELECT count() FROM sql_keyless.u;
--> 0
INSERT INTO sql_keyless.u VALUES (1, 1), (1, 1);
SELECT * FROM sql_keyless.u;
--> 1	1
--> 1	1
DROP TABLE sql_keyless.t, sql_keyless.u;
CREATE TABLE sql_keyless.k (a UInt32, n Int32) ENGINE = MutableMergeTree ORDER BY a;
INSERT INTO sql_keyless.k VALUES (1, 1), (2, 2);
CREATE TABLE sql_keyless.t AS sql_keyless.k ENGINE = MutableMergeTree ORDER BY tuple();
INSERT INTO sql_keyless.t SELECT * FROM sql_keyless.k;
INSERT INTO sql_keyless.t SELECT * FROM sql_keyless.k;
SELECT a, count() FROM sql_keyless.t GROUP BY a ORDER BY a;
--> 1	2
--> 2	2
CREATE OR REPLACE TABLE sql_keyless.k ENGINE = MutableMergeTree ORDER BY (a, n) AS SELECT * FROM sql_keyless.t;
--# 4
SELECT * FROM sql_keyless.k ORDER BY a;
--> 1	1
--> 2	2
DROP TABLE sql_keyless.t, sql_keyless.k;

-- Many rows become a generation.

CREATE TABLE sql_keyless.t ENGINE = MutableMergeTree AS SELECT number % 1000 AS a, 1 AS n FROM numbers(1000);
INSERT INTO sql_keyless.t SELECT number % 1000, 1 FROM numbers(250000);
--# 250000
INSERT INTO sql_keyless.t SELECT number % 1000, 1 FROM numbers(250000);
INSERT INTO sql_keyless.t VALUES (5, 5), (5, 5);
SELECT count(), sum(n), uniqExact(a) FROM sql_keyless.t;
--> 501002	501010	1000
UPDATE sql_keyless.t SET n = 2 WHERE a < 500;
--# 250502
SELECT count(), sum(n) FROM sql_keyless.t;
--> 501002	751504
DELETE FROM sql_keyless.t WHERE a >= 100;
--# 450900
UPDATE sql_keyless.t SET n = 3 WHERE a = 5;
--# 503
SELECT count(), sum(n) FROM sql_keyless.t;
--> 50102	100707
DROP DATABASE sql_keyless;
