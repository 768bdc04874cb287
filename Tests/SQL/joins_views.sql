-- Joins of mutable and plain tables, and views on them.

CREATE DATABASE sql_views;
CREATE TABLE sql_views.a (id UInt32, n Int32) ENGINE = MutableMergeTree ORDER BY id;
CREATE TABLE sql_views.b (k String, a_id UInt32, m Int32) ENGINE = MutableMergeTree ORDER BY k;
CREATE TABLE sql_views.plain (id UInt32, p String) ENGINE = MergeTree ORDER BY id;
INSERT INTO sql_views.a VALUES (1, 1), (2, 2), (3, 3), (4, 4);
INSERT INTO sql_views.b VALUES ('x', 1, 10), ('y', 1, 20), ('z', 3, 30), ('w', 9, 90);
INSERT INTO sql_views.plain VALUES (1, 'one'), (2, 'two'), (4, 'four');
UPDATE sql_views.a SET n = n * 100 WHERE id = 1;
DELETE FROM sql_views.a WHERE id = 4;
DELETE FROM sql_views.b WHERE k = 'y';
UPSERT INTO sql_views.b VALUES ('v', 2, 40);

SELECT a.id, a.n, b.k, b.m FROM sql_views.a AS a JOIN sql_views.b AS b ON b.a_id = a.id ORDER BY k;
--> 2	2	v	40
--> 1	100	x	10
--> 3	3	z	30
SELECT id, k FROM sql_views.a LEFT JOIN sql_views.b ON a_id = id ORDER BY id, k;
--> 1	x
--> 2	v
--> 3	z
SELECT k, id FROM sql_views.a RIGHT JOIN sql_views.b ON a_id = id ORDER BY k;
--> v	2
--> w	0
--> x	1
--> z	3
SELECT count() FROM sql_views.a FULL JOIN sql_views.b ON a_id = id;
--> 4
SELECT count() FROM sql_views.a CROSS JOIN sql_views.b;
--> 12
SELECT count() FROM sql_views.a, sql_views.b;
--> 12
SELECT id, p FROM sql_views.a JOIN sql_views.plain USING (id) ORDER BY id;
--> 1	one
--> 2	two
SELECT id, n, p FROM sql_views.plain LEFT JOIN sql_views.a USING id ORDER BY id;
--> 1	100	one
--> 2	2	two
--> 4	0	four
SELECT id FROM sql_views.plain LEFT ANTI JOIN sql_views.a USING id;
--> 4
SELECT id FROM sql_views.plain SEMI LEFT JOIN sql_views.a USING id ORDER BY id;
--> 1
--> 2
SELECT x.id, y.n FROM sql_views.a AS x JOIN sql_views.a AS y ON x.id + 1 = y.id ORDER BY x.id;
--> 1	2
--> 2	3
SELECT * FROM sql_views.a JOIN sql_views.b ON a.id = b.a_id WHERE k = 'x';
--> 1	100	x	1	10
SELECT a.*, p FROM sql_views.a JOIN (SELECT * FROM sql_views.plain) AS q ON q.id = a.id
  WHERE n = 100;
--> 1	100	one
SELECT x.id, b.m FROM sql_views.a AS x ASOF JOIN sql_views.b AS b ON x.id = b.a_id AND x.n <= b.m
  ORDER BY id;
--> 2	40
--> 3	30
SELECT id, p, k FROM sql_views.a JOIN sql_views.plain USING id JOIN sql_views.b ON a_id = a.id
  ORDER BY id;
--> 1	one	x
--> 2	two	v

-- Views, views over views, and what they show after changes.

CREATE VIEW sql_views.v AS SELECT id, n FROM sql_views.a WHERE n > 1;
CREATE VIEW sql_views.vv AS SELECT sum(n) AS total, count() AS c FROM sql_views.v;
CREATE VIEW sql_views.star AS SELECT * FROM sql_views.a;
CREATE VIEW sql_views.joined AS SELECT a.id AS id, b.k AS k
  FROM sql_views.a AS a JOIN sql_views.b AS b ON b.a_id = a.id;
SELECT * FROM sql_views.v ORDER BY id;
--> 1	100
--> 2	2
--> 3	3
SELECT * FROM sql_views.vv;
--> 105	3
SELECT * FROM sql_views.star ORDER BY id;
--> 1	100
--> 2	2
--> 3	3
UPDATE sql_views.a SET n = 0 WHERE id = 1;
DELETE FROM sql_views.a WHERE id = 2;
INSERT INTO sql_views.a VALUES (7, 7);
SELECT * FROM sql_views.v ORDER BY id;
--> 3	3
--> 7	7
SELECT * FROM sql_views.vv;
--> 10	2
SELECT v.id, vv.total FROM sql_views.v AS v CROSS JOIN sql_views.vv AS vv ORDER BY id;
--> 3	10
--> 7	10
SELECT k FROM sql_views.joined ORDER BY k;
--> x
--> z
DESCRIBE TABLE sql_views.star;
--~ id	UInt32
--^ _INTERNAL
SHOW CREATE TABLE sql_views.star;
--~ CREATE VIEW
--^ _INTERNAL
CREATE OR REPLACE VIEW sql_views.v AS SELECT id FROM sql_views.a WHERE id > 5;
SELECT * FROM sql_views.v;
--> 7
CREATE VIEW sql_views.parameterised AS SELECT n FROM sql_views.a WHERE id = {key:UInt32};
SELECT * FROM sql_views.parameterised(key = 7);
--> 7
UPDATE sql_views.a SET n = 8 WHERE id = 7;
SELECT * FROM sql_views.parameterised(key = 7);
--> 8

-- A view is no table to write to.

UPDATE sql_views.star SET n = 1 WHERE 1;
--!
DELETE FROM sql_views.star WHERE 1;
--!
UPSERT INTO sql_views.star VALUES (1, 1);
--!
INSERT INTO sql_views.star VALUES (1, 1);
--!
SELECT * FROM sql_views.star ORDER BY id;
--> 1	0
--> 3	3
--> 7	8

-- A view goes on after its table was settled, altered, or made anew.

OPTIMIZE TABLE sql_views.a;
SELECT * FROM sql_views.star ORDER BY id;
--> 1	0
--> 3	3
--> 7	8
ALTER TABLE sql_views.a ADD COLUMN s String DEFAULT 'd';
SELECT id, n FROM sql_views.star ORDER BY id;
--> 1	0
--> 3	3
--> 7	8
TRUNCATE TABLE sql_views.a;
SELECT count() FROM sql_views.star;
--> 0
DROP TABLE sql_views.a;
SELECT count() FROM sql_views.star;
--!
CREATE TABLE sql_views.a (id UInt32, n Int32) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_views.a VALUES (5, 5);
SELECT * FROM sql_views.star;
--> 5	5
DROP VIEW sql_views.vv;
DROP VIEW sql_views.star;
SELECT * FROM sql_views.star;
--!
SELECT * FROM sql_views.a;
--> 5	5

-- Tables that read mutable ones by engine or function.

CREATE TABLE sql_views.merged (id UInt32, n Int32) ENGINE = Merge(sql_views, '^a$');
SELECT * FROM sql_views.merged;
--> 5	5
UPDATE sql_views.a SET n = 6 WHERE id = 5;
SELECT id, n FROM merge('sql_views', '^a$');
--> 5	6
SELECT * FROM sql_views.merged;
--> 5	6

-- CREATE … AS from a join.

CREATE TABLE sql_views.c ENGINE = MutableMergeTree ORDER BY id
  AS SELECT a.id AS id, toNullable(p) AS p FROM sql_views.a AS a
  LEFT JOIN sql_views.plain AS q ON q.id = a.id - 1;
SELECT * FROM sql_views.c;
--> 5	four

DROP DATABASE sql_views;
