-- TRUNCATE, RENAME, EXCHANGE, DROP and OPTIMIZE of mutable tables.

CREATE DATABASE sql_names;
CREATE DATABASE sql_names_b;
CREATE TABLE sql_names.t (id UInt32, s String) ENGINE = MutableMergeTree ORDER BY id;
CREATE TABLE sql_names.u (k String, n Int32) ENGINE = MutableMergeTree ORDER BY k;
CREATE TABLE sql_names.plain (id UInt32, s String) ENGINE = MergeTree ORDER BY id;
INSERT INTO sql_names.t VALUES (1, 'a'), (2, 'b');
UPDATE sql_names.t SET s = 'B' WHERE id = 2;
INSERT INTO sql_names.u VALUES ('x', 1), ('y', 2);
INSERT INTO sql_names.plain VALUES (1, 'plain');

-- TRUNCATE.

TRUNCATE TABLE sql_names.t;
SELECT count() FROM sql_names.t;
--> 0
SELRAW count() FROM sql_names.t WHERE _INTERNAL_DELMARK = 0;
--> 0
INSERT INTO sql_names.t VALUES (2, 'after');
SELECT * FROM sql_names.t;
--> 2	after
UPDATE sql_names.t SET s = 'later' WHERE 1;
--# 1
TRUNCATE sql_names.t;
SELECT count() FROM sql_names.t;
--> 0
TRUNCATE TABLE sql_names.t;
TRUNCATE TABLE IF EXISTS sql_names.nosuch;
TRUNCATE TABLE sql_names.nosuch;
--! nosuch
INSERT INTO sql_names.t VALUES (1, 'a'), (2, 'b');

-- RENAME.

RENAME TABLE sql_names.t TO sql_names.t2;
SELECT * FROM sql_names.t;
--!
SELECT * FROM sql_names.t2 ORDER BY id;
--> 1	a
--> 2	b
UPDATE sql_names.t2 SET s = 'c' WHERE id = 1;
--# 1
INSERT INTO sql_names.t2 VALUES (3, 'new');
DELETE FROM sql_names.t2 WHERE id = 2;
SELECT * FROM sql_names.t2 ORDER BY id;
--> 1	c
--> 3	new
RENAME TABLE sql_names.t2 TO sql_names_b.t;
SELECT * FROM sql_names_b.t ORDER BY id;
--> 1	c
--> 3	new
UPDATE sql_names_b.t SET s = 'd' WHERE id = 1;
SHOW CREATE TABLE sql_names_b.t;
--~ sql_names_b.t
--~ ENGINE = MutableMergeTree
RENAME sql_names_b.t TO sql_names.t;
SELECT * FROM sql_names.t ORDER BY id;
--> 1	d
--> 3	new
RENAME TABLE sql_names.t TO sql_names.u;
--! already exists
RENAME TABLE sql_names.t TO sql_names.plain;
--! already exists
RENAME TABLE sql_names.plain TO sql_names.t;
--! already exists
RENAME TABLE sql_names.t TO sql_names_none.t;
--! sql_names_none
RENAME TABLE sql_names.nosuch TO sql_names.x;
--! nosuch
SELECT * FROM sql_names.t ORDER BY id;
--> 1	d
--> 3	new
SELECT * FROM sql_names.u ORDER BY k;
--> x	1
--> y	2
-- The name is free for another table.
RENAME TABLE sql_names.t TO sql_names.old;
CREATE TABLE sql_names.t (id UInt8) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_names.t VALUES (9);
SELECT * FROM sql_names.t;
--> 9
SELECT count() FROM sql_names.old;
--> 2
DROP TABLE sql_names.t;
RENAME TABLE sql_names.old TO sql_names.t;

-- EXCHANGE, of two mutable tables, and of a mutable with a plain one.

EXCHANGE TABLES sql_names.t AND sql_names.u;
SELECT * FROM sql_names.t ORDER BY k;
--> x	1
--> y	2
SELECT * FROM sql_names.u ORDER BY id;
--> 1	d
--> 3	new
UPDATE sql_names.t SET n = n + 1 WHERE k = 'x';
--# 1
UPSERT INTO sql_names.u VALUES (3, 'newer');
EXCHANGE TABLES sql_names.u AND sql_names.t;
SELECT * FROM sql_names.t ORDER BY id;
--> 1	d
--> 3	newer
SELECT * FROM sql_names.u ORDER BY k;
--> x	2
--> y	2
EXCHANGE TABLES sql_names.t AND sql_names.nosuch;
--! nosuch
SELECT * FROM sql_names.t ORDER BY id;
--> 1	d
--> 3	newer

-- OPTIMIZE.

OPTIMIZE TABLE sql_names.t;
OPTIMIZE TABLE sql_names.t;
SELECT * FROM sql_names.t ORDER BY id;
--> 1	d
--> 3	newer
INSERT INTO sql_names.t VALUES (4, 'four');
DELETE FROM sql_names.t WHERE id = 1;
OPTIMIZE TABLE sql_names.t FINAL;
SELECT * FROM sql_names.t ORDER BY id;
--> 3	newer
--> 4	four
OPTIMIZE TABLE sql_names.nosuch;
--! nosuch

-- DROP, and a name used again.

DROP TABLE sql_names.t;
SELECT * FROM sql_names.t;
--! sql_names.t
UPDATE sql_names.t SET s = '' WHERE 1;
--!
DROP TABLE sql_names.t;
--! sql_names.t
DROP TABLE IF EXISTS sql_names.t;
CREATE TABLE sql_names.t (id UInt32, s String) ENGINE = MutableMergeTree ORDER BY id;
SELECT count() FROM sql_names.t;
--> 0
INSERT INTO sql_names.t VALUES (1, 'anew');
SELECT * FROM sql_names.t;
--> 1	anew
DROP TABLE sql_names.t SYNC;
CREATE TABLE sql_names.t (id UInt32, p String) ENGINE = MergeTree ORDER BY id;
INSERT INTO sql_names.t VALUES (1, 'x'), (1, 'y');
SELECT count() FROM sql_names.t;
--> 2
UPSERT INTO sql_names.t VALUES (1, 'z');
--!
DROP TABLE sql_names.t;
CREATE TABLE sql_names.t (k String, v Int8) ENGINE = MutableMergeTree ORDER BY k;
INSERT INTO sql_names.t VALUES ('a', 1), ('a', 2);
SELECT * FROM sql_names.t;
--> a	2
DROP TABLE IF EXISTS sql_names.t;
EXISTS TABLE sql_names.t;
--> 0

-- DROP DATABASE takes its mutable tables along; one that is made anew is empty.

CREATE TABLE sql_names_b.t (id UInt32) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_names_b.t VALUES (1);
DROP DATABASE sql_names_b;
SELECT * FROM sql_names_b.t;
--!
CREATE DATABASE sql_names_b;
SHOW TABLES FROM sql_names_b;
CREATE TABLE sql_names_b.t (id UInt32) ENGINE = MutableMergeTree ORDER BY id;
SELECT count() FROM sql_names_b.t;
--> 0
DROP DATABASE IF EXISTS sql_names_b;
DROP DATABASE IF EXISTS sql_names_b;
DROP DATABASE sql_names_b;
--! sql_names_b

DROP DATABASE sql_names;
