-- IMPORT: rows with a version and a delete mark given; for a key the highest version wins, whatever
-- the order in which they come.

CREATE DATABASE sql_import;
CREATE TABLE sql_import.t (id UInt32, s String DEFAULT 'none')
  ENGINE = MutableMergeTree ORDER BY id;

IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'a', 1000000, 0), (2, 'b', 1000000, 0), (3, 'c', 1000000, 0);
--# 3
SELECT * FROM sql_import.t ORDER BY id;
--> 1	a
--> 2	b
--> 3	c

-- Higher, lower, and both in one statement in both orders.

IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'higher', 1000001, 0), (2, 'lower', 999999, 0);
SELECT * FROM sql_import.t ORDER BY id;
--> 1	higher
--> 2	b
--> 3	c
IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (4, 'old', 5, 0), (4, 'new', 6, 0), (5, 'new', 6, 0), (5, 'old', 5, 0);
SELECT * FROM sql_import.t WHERE id IN (4, 5) ORDER BY id;
--> 4	new
--> 5	new
IMPORT INTO sql_import.t (s, _INTERNAL_DELMARK, id, _INTERNAL_VERSION)
  VALUES ('other order', 0, 6, 7), ('older', 0, 6, 6);
SELECT * FROM sql_import.t WHERE id = 6;
--> 6	other order
IMPORT INTO TABLE sql_import.t (id, _INTERNAL_VERSION, _INTERNAL_DELMARK) VALUES (7, 7, 0);
SELECT * FROM sql_import.t WHERE id = 7;
--> 7	none

-- Marks.

IMPORT INTO sql_import.t (id, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 1000002, 1), (2, 999998, 1);
SELECT * FROM sql_import.t WHERE id < 4 ORDER BY id;
--> 2	b
--> 3	c
IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (8, 'marked later', 2000000, 0), (8, 'marked later', 2000001, 1),
  (9, 'marked before', 2000001, 0), (9, 'marked before', 2000000, 1);
SELECT * FROM sql_import.t WHERE id > 7 ORDER BY id;
--> 9	marked before
IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'back', 2000002, 0), (8, 'back', 2000002, 0);
SELECT * FROM sql_import.t WHERE id IN (1, 8) ORDER BY id;
--> 1	back
--> 8	back

-- It raises the counter: later statements win.

IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'far', 1000000000000, 0);
INSERT INTO sql_import.t VALUES (1, 'inserted');
SELECT s FROM sql_import.t WHERE id = 1;
--> inserted
IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'too late', 999999999999, 0);
SELECT s FROM sql_import.t WHERE id = 1;
--> inserted
IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (2, 'far', 2000000000000, 0);
UPDATE sql_import.t SET s = 'updated' WHERE id = 2;
--# 1
SELECT s FROM sql_import.t WHERE id = 2;
--> updated
IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (3, 'far', 3000000000000, 0);
DELETE FROM sql_import.t WHERE id = 3;
--# 1
SELECT count() FROM sql_import.t WHERE id = 3;
--> 0
OPTIMIZE TABLE sql_import.t;
SELRAW min(_INTERNAL_VERSION) > 0, countIf(_INTERNAL_VERSION > 2000000000000),
  max(_INTERNAL_DELMARK)
  FROM sql_import.t;
--> 1	1	0

-- Of a key that is gone, and whose mark was dropped, nothing older may come back.

DELETE FROM sql_import.t WHERE id = 9;
OPTIMIZE TABLE sql_import.t;
IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK) VALUES (9, 'ghost', 2, 0);
--! version
SELECT count() FROM sql_import.t WHERE id = 9;
--> 0

-- Bounds.

CREATE TABLE sql_import.bounds (id UInt32, s String) ENGINE = MutableMergeTree ORDER BY id;
IMPORT INTO sql_import.bounds (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'fits', 4611686018427387904, 0);
SELECT * FROM sql_import.bounds;
--> 1	fits
IMPORT INTO sql_import.bounds (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'above', 4611686018427387905, 0);
--! version
IMPORT INTO sql_import.bounds (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'above', 18446744073709551615, 0);
--! version
INSERT INTO sql_import.bounds VALUES (1, 'and on');
UPDATE sql_import.bounds SET s = concat(s, ' and on') WHERE 1;
SELECT * FROM sql_import.bounds;
--> 1	and on and on
DROP TABLE sql_import.bounds;

-- Twice the same key and version.

TRUNCATE TABLE sql_import.t;
IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'a', 5000000000000, 0), (1, 'b', 5000000000000, 0);
--! version
IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'a', 5000000000000, 0), (1, 'a', 5000000000000, 1);
--! version
IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  SELECT number % 200000, '', 5000000000000, 0 FROM numbers(300000);
--! version
SELECT count() FROM sql_import.t;
--> 0

-- Rows of a SELECT, of a copy of what is stored.

IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  SELECT number, toString(number), 6000000000000 + number, number % 10 = 0 FROM numbers(100000);
--# 100000
SELECT count(), sum(id), min(id) FROM sql_import.t;
--> 90000	4500000000	1
CREATE TABLE sql_import.copy (id UInt32, s String) ENGINE = MutableMergeTree ORDER BY id;
IMPORT INTO sql_import.copy (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  SELRAW id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK FROM sql_import.t;
SELECT count(), sum(id), min(id) FROM sql_import.copy;
--> 90000	4500000000	1
IMPORT INTO sql_import.copy (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  WITH 3 AS x SELECT x, 'with', 7000000000000, 0;
SELECT * FROM sql_import.copy WHERE id = 3;
--> 3	with
DROP TABLE sql_import.copy;

-- Both hidden columns must be named, and the rest is as for INSERT.

IMPORT INTO sql_import.t (id, s) VALUES (1, 'x');
--! _INTERNAL_
IMPORT INTO sql_import.t (id, s, _INTERNAL_VERSION) VALUES (1, 'x', 7000000000001);
--! _INTERNAL_DELMARK
IMPORT INTO sql_import.t (id, s, _INTERNAL_DELMARK) VALUES (1, 'x', 0);
--! _INTERNAL_VERSION
IMPORT INTO sql_import.t (id, nosuch, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'x', 7000000000002, 0);
--! nosuch
IMPORT INTO sql_import.nosuch (id, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 7000000000002, 0);
--!
CREATE TABLE sql_import.plain (id UInt32) ENGINE = MergeTree ORDER BY id;
IMPORT INTO sql_import.plain (id, _INTERNAL_VERSION, _INTERNAL_DELMARK) VALUES (1, 1, 0);
--!
SELECT count() FROM sql_import.t;
--> 90000

-- Expression keys, and keys of several columns.

CREATE TABLE sql_import.wide (a UInt32, b String, n Int32)
  ENGINE = MutableMergeTree ORDER BY (a, b);
IMPORT INTO sql_import.wide (a, b, n, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'x', 1, 10, 0), (1, 'y', 2, 10, 0), (1, 'x', 3, 9, 0), (1, 'y', 4, 11, 1);
SELECT * FROM sql_import.wide ORDER BY a, b;
--> 1	x	1

DROP DATABASE sql_import;
