-- Declaring mutable tables: every form of the key, clauses that go through to the engine, and
-- CREATE … AS.

CREATE DATABASE sql_create;

-- The three forms of the key.

CREATE TABLE sql_create.a (id UInt32, n Int32) ENGINE = MutableMergeTree ORDER BY id;
SELECT * FROM sql_create.a;
INSERT INTO sql_create.a VALUES (2, 20), (1, 10);
--# 2
SELECT * FROM sql_create.a ORDER BY id;
--> 1	10
--> 2	20
INSERT INTO sql_create.a VALUES (1, 11);
SELECT * FROM sql_create.a ORDER BY id;
--> 1	11
--> 2	20
CREATE TABLE sql_create.a (id UInt32) ENGINE = MutableMergeTree ORDER BY id;
--! already exists
CREATE TABLE sql_create.a (id UInt32) ENGINE = MergeTree ORDER BY id;
--! already exists
CREATE TABLE IF NOT EXISTS sql_create.a (id UInt32) ENGINE = MutableMergeTree ORDER BY id;
CREATE TABLE IF NOT EXISTS sql_create.a (id UInt32) ENGINE = MergeTree ORDER BY id;
SELECT count(), sum(n) FROM sql_create.a;
--> 2	31
CREATE TABLE sql_create.none.a (id UInt32) ENGINE = MutableMergeTree ORDER BY id;
--!
CREATE TABLE sql_create_none.a (id UInt32) ENGINE = MutableMergeTree ORDER BY id;
--! sql_create_none
DROP TABLE sql_create.a;

CREATE TABLE sql_create.a (id UInt32, n Int32) ENGINE = MutableMergeTree PRIMARY KEY id;
INSERT INTO sql_create.a VALUES (1, 1), (2, 2);
INSERT INTO sql_create.a VALUES (2, 3);
SELECT * FROM sql_create.a ORDER BY id;
--> 1	1
--> 2	3
SHOW CREATE TABLE sql_create.a;
--~ MutableMergeTree
--^ _INTERNAL
DROP TABLE sql_create.a;

CREATE TABLE sql_create.a (a UInt32, b String, n Int32)
  ENGINE = MutableMergeTree((a, b), 8192);
INSERT INTO sql_create.a VALUES (1, 'x', 1), (1, 'y', 2), (2, 'x', 3), (1, 'x', 4);
SELECT * FROM sql_create.a ORDER BY a, b;
--> 1	x	4
--> 1	y	2
--> 2	x	3
SHOW CREATE TABLE sql_create.a;
--~ MutableMergeTree
--^ _INTERNAL
DROP TABLE sql_create.a;

CREATE TABLE sql_create.a (id UInt32, n Int32) ENGINE = MutableMergeTree((id), 8192);
INSERT INTO sql_create.a VALUES (1, 1), (1, 2);
SELECT * FROM sql_create.a;
--> 1	2
DROP TABLE sql_create.a;

CREATE TABLE sql_create.a (id UInt32, n Int32)
  ENGINE = MutableMergeTree() PRIMARY KEY (id) ORDER BY (id);
INSERT INTO sql_create.a VALUES (1, 1), (1, 2);
SELECT * FROM sql_create.a;
--> 1	2
DROP TABLE sql_create.a;

create table sql_create.a (id UInt32, n Int32, primary key (id)) engine MutableMergeTree;
INSERT INTO sql_create.a VALUES (1, 1), (1, 2);
SELECT * FROM sql_create.a;
--> 1	2
DROP TABLE sql_create.a;

CREATE TABLE sql_create.a (id UInt32 PRIMARY KEY, n Int32) ENGINE = MutableMergeTree;
INSERT INTO sql_create.a VALUES (1, 1), (1, 2);
SELECT * FROM sql_create.a;
--> 1	2
DROP TABLE sql_create.a;

CREATE /* a comment */ TABLE -- another
  `sql_create`."a" (`id` UInt32, "n" Int32)
  ENGINE/**/=/**/MutableMergeTree # and another
  ORDER /* by */ BY (`id`)
  COMMENT 'ENGINE = MergeTree ORDER BY n';
INSERT INTO sql_create.a VALUES (1, 1), (1, 2);
SELECT * FROM sql_create.a;
--> 1	2
DROP TABLE sql_create.a;

-- Wrong declarations.

CREATE TABLE sql_create.a (id UInt32) ENGINE = MutableMergeTree ORDER BY nosuch;
--! nosuch
CREATE TABLE sql_create.a (id NoSuchType) ENGINE = MutableMergeTree ORDER BY id;
--! NoSuchType
CREATE TABLE sql_create.a (id UInt32, id UInt32) ENGINE = MutableMergeTree ORDER BY id;
--!
-- A refused statement leaves nothing that is in the way of the next.
EXISTS TABLE sql_create.a;
--> 0
CREATE TABLE sql_create.a (id UInt32) ENGINE = MutableMergeTree ORDER BY id;
SELECT count() FROM sql_create.a;
--> 0
DROP TABLE sql_create.a;

-- Clauses of the engine.

CREATE TABLE sql_create.a (
  id UInt64 COMMENT 'the key' CODEC(Delta, ZSTD(1)),
  s String DEFAULT concat('n', toString(id)) COMMENT 'with ''quotes''',
  day Date DEFAULT '2024-01-02',
  n Nullable(Int32) CODEC(NONE),
  twice UInt64 DEFAULT id * 2,
  INDEX by_s s TYPE bloom_filter GRANULARITY 1,
  INDEX by_n n TYPE minmax,
  CONSTRAINT small CHECK id < 1000)
ENGINE = MutableMergeTree
ORDER BY id
SETTINGS index_granularity = 1024
COMMENT 'a table; with ENGINE = words';
INSERT INTO sql_create.a (id) VALUES (1), (2);
--# 2
INSERT INTO sql_create.a (n, id, s) VALUES (7, 2, 'two'), (NULL, 3, '');
SELECT * FROM sql_create.a ORDER BY id;
--> 1	n1	2024-01-02	\N	2
--> 2	two	2024-01-02	7	4
--> 3		2024-01-02	\N	6
SELECT id FROM sql_create.a WHERE s = 'two';
--> 2
INSERT INTO sql_create.a (id) VALUES (5), (1000);
--! small
SELECT count() FROM sql_create.a;
--> 3
SHOW CREATE TABLE sql_create.a;
--~ ENGINE = MutableMergeTree
--~ ORDER BY id
--~ INDEX by_s
--~ CONSTRAINT small
--~ DEFAULT id * 2
--~ COMMENT \'the key\'
--~ a table; with ENGINE = words
--~ CODEC(
--^ _INTERNAL
DROP TABLE sql_create.a;

-- A TTL by the key.

CREATE TABLE sql_create.a (id UInt32, ts DateTime, n Int32)
  ENGINE = MutableMergeTree ORDER BY (id, ts) TTL ts + INTERVAL 50 YEAR;
INSERT INTO sql_create.a VALUES (1, '2024-01-01 00:00:00', 1);
SELECT * FROM sql_create.a;
--> 1	2024-01-01 00:00:00	1
DROP TABLE sql_create.a;

-- CREATE … AS.

CREATE TABLE sql_create.a ENGINE = MutableMergeTree ORDER BY id
  AS SELECT number AS id, toString(number) AS s FROM numbers(5);
SELECT * FROM sql_create.a ORDER BY id;
--> 0	0
--> 1	1
--> 2	2
--> 3	3
--> 4	4
UPSERT INTO sql_create.a VALUES (3, 'three'), (5, 'five');
DELETE FROM sql_create.a WHERE id = 0;
--# 1
SELECT * FROM sql_create.a ORDER BY id;
--> 1	1
--> 2	2
--> 3	three
--> 4	4
--> 5	five
CREATE TABLE sql_create.b (id UInt64, s String, more UInt8 DEFAULT 7)
  ENGINE = MutableMergeTree ORDER BY id
  AS WITH 2 AS least SELECT id, s, 1 FROM sql_create.a WHERE id > least;
SELECT * FROM sql_create.b ORDER BY id;
--> 3	three	1
--> 4	4	1
--> 5	five	1
DROP TABLE sql_create.b;
-- The later of two equal keys wins.
CREATE TABLE sql_create.b ENGINE = MutableMergeTree ORDER BY k
  AS SELECT intDiv(number, 10) AS k, number AS n FROM numbers(30) ORDER BY number;
SELECT * FROM sql_create.b ORDER BY k;
--> 0	9
--> 1	19
--> 2	29
DROP TABLE sql_create.b;
-- One that fails leaves no table behind.
CREATE TABLE sql_create.b ENGINE = MutableMergeTree ORDER BY id
  AS SELECT number AS id, throwIf(number = 150000, 'too far') AS t FROM numbers(200000);
--! too far
EXISTS TABLE sql_create.b;
--> 0
-- The structure of a mutable table, for a mutable and for a plain one.
CREATE TABLE sql_create.b AS sql_create.a ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_create.b VALUES (1, 'x'), (1, 'y');
SELECT * FROM sql_create.b;
--> 1	y
DROP TABLE sql_create.b;
CREATE TABLE sql_create.b AS sql_create.a ENGINE = Memory;
INSERT INTO sql_create.b VALUES (1, 'x'), (1, 'y');
SELECT * FROM sql_create.b ORDER BY s;
--> 1	x
--> 1	y
DROP TABLE sql_create.b;
CREATE TABLE sql_create.b AS sql_create.a;
INSERT INTO sql_create.b VALUES (1, 'x');
UPSERT INTO sql_create.b VALUES (1, 'y');
SELECT * FROM sql_create.b;
--> 1	y
SHOW CREATE TABLE sql_create.b;
--~ ENGINE = MutableMergeTree
DROP TABLE sql_create.b;
CREATE TABLE sql_create.b ENGINE = MergeTree ORDER BY id AS SELECT * FROM sql_create.a;
SELECT * FROM sql_create.b ORDER BY id;
--> 1	1
--> 2	2
--> 3	three
--> 4	4
--> 5	five
DROP TABLE sql_create.b;
DROP TABLE sql_create.a;

-- A table with only its key, and one with many columns.

CREATE TABLE sql_create.a (a UInt8, b UInt8) ENGINE = MutableMergeTree ORDER BY (a, b);
INSERT INTO sql_create.a VALUES (1, 1), (1, 2), (1, 1);
INSERT INTO sql_create.a VALUES (1, 2), (2, 2);
DELETE FROM sql_create.a WHERE a = 2;
--# 1
SELECT * FROM sql_create.a ORDER BY a, b;
--> 1	1
--> 1	2
DROP TABLE sql_create.a;

CREATE TABLE sql_create.a (
  id UInt8, c01 UInt8, c02 UInt8, c03 UInt8, c04 UInt8, c05 UInt8, c06 UInt8, c07 UInt8, c08 UInt8,
  c09 UInt8, c10 UInt8, c11 UInt8, c12 UInt8, c13 UInt8, c14 UInt8, c15 UInt8, c16 UInt8, c17 UInt8,
  c18 UInt8, c19 UInt8, c20 UInt8, c21 UInt8, c22 UInt8, c23 UInt8, c24 UInt8, c25 UInt8, c26 UInt8)
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_create.a (id, c26) VALUES (1, 26);
UPDATE sql_create.a SET c01 = c26, c26 = c01, c13 = 13 WHERE id = 1;
SELECT * FROM sql_create.a;
--> 1	26	0	0	0	0	0	0	0	0	0	0	0	13	0	0	0	0	0	0	0	0	0	0	0	0	0
DROP TABLE sql_create.a;

-- The default database.

CREATE TABLE sql_create_default (id UInt32, n Int32) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_create_default VALUES (1, 1), (2, 2);
INSERT INTO default.sql_create_default VALUES (1, 3);
UPDATE sql_create_default SET n = n + 1 WHERE id = 2;
--# 1
SELECT * FROM sql_create_default ORDER BY id;
--> 1	3
--> 2	3
DELETE FROM default.sql_create_default WHERE id = 1;
SELECT * FROM default.sql_create_default;
--> 2	3
ALTER TABLE sql_create_default ADD COLUMN s String DEFAULT 'd';
SELECT * FROM sql_create_default;
--> 2	3	d
RENAME TABLE sql_create_default TO sql_create_renamed;
TRUNCATE TABLE sql_create_renamed;
SELECT count() FROM sql_create_renamed;
--> 0
DROP TABLE sql_create_renamed;
EXISTS sql_create_renamed;
--> 0

DROP DATABASE sql_create;
