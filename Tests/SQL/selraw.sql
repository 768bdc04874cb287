-- SELRAW shows what is stored, the hidden columns included.

CREATE DATABASE sql_selraw;
CREATE TABLE sql_selraw.t (id UInt32, s String) ENGINE = MutableMergeTree ORDER BY id;
SELRAW * FROM sql_selraw.t;
INSERT INTO sql_selraw.t VALUES (1, 'a'), (2, 'b'), (3, 'c');
OPTIMIZE TABLE sql_selraw.t;
SELRAW * EXCEPT(_INTERNAL_VERSION) FROM sql_selraw.t ORDER BY id;
--> 1	a	0
--> 2	b	0
--> 3	c	0
SELRAW * FROM sql_selraw.t WHERE id = 1 FORMAT JSONEachRow;
--~ "id":1,"s":"a","_INTERNAL_VERSION":
--~ "_INTERNAL_DELMARK":0
SELRAW count() > 2, min(_INTERNAL_VERSION) > 0 FROM sql_selraw.t;
--> 1	1
SELRAW toTypeName(_INTERNAL_VERSION), toTypeName(_INTERNAL_DELMARK) FROM sql_selraw.t LIMIT 1;
--> UInt64	UInt8

-- The newest row of each key is what SELECT shows.

UPDATE sql_selraw.t SET s = 'B' WHERE id = 2;
UPSERT INTO sql_selraw.t VALUES (3, 'C'), (4, 'D');
DELETE FROM sql_selraw.t WHERE id = 1;
SELRAW id, argMax(s, _INTERNAL_VERSION) FROM sql_selraw.t
  GROUP BY id HAVING argMax(_INTERNAL_DELMARK, _INTERNAL_VERSION) = 0 ORDER BY id;
--> 2	B
--> 3	C
--> 4	D
SELECT * FROM sql_selraw.t ORDER BY id;
--> 2	B
--> 3	C
--> 4	D
-- No version of a key is shown twice, also amid settling.
SELRAW uniqExact(id, _INTERNAL_VERSION) = count() FROM sql_selraw.t;
--> 1
-- Once settled, every living key is there once.
OPTIMIZE TABLE sql_selraw.t;
SELRAW * EXCEPT(_INTERNAL_VERSION) FROM sql_selraw.t ORDER BY id;
--> 2	B	0
--> 3	C	0
--> 4	D	0
SELRAW id FROM sql_selraw.t WHERE _INTERNAL_DELMARK != 0;

-- Imported versions and marks, to the number.

TRUNCATE TABLE sql_selraw.t;
IMPORT INTO sql_selraw.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 'x', 1000000000001, 0), (2, 'y', 1000000000002, 0);
OPTIMIZE TABLE sql_selraw.t;
SELRAW * FROM sql_selraw.t ORDER BY id;
--> 1	x	1000000000001	0
--> 2	y	1000000000002	0
SELRAW _INTERNAL_VERSION - 1000000000000 AS v, t.* FROM sql_selraw.t AS t WHERE t.id = 1;
--> 1	1	x	1000000000001	0
UPDATE sql_selraw.t SET s = 'z' WHERE id = 1;
SELRAW max(_INTERNAL_VERSION) > 1000000000002 FROM sql_selraw.t;
--> 1

-- Together with SELECT, each sees its own.

SELECT count() FROM sql_selraw.t WHERE id IN (SELRAW id FROM sql_selraw.t);
--> 2
SELECT (SELRAW max(_INTERNAL_VERSION) FROM sql_selraw.t WHERE id = 2), (SELECT s FROM sql_selraw.t
  WHERE id = 1);
--> 1000000000002	z
DELETE FROM sql_selraw.t WHERE id = 2;
OPTIMIZE TABLE sql_selraw.t;
INSERT INTO sql_selraw.t VALUES (5, 'e');
OPTIMIZE TABLE sql_selraw.t;
SELECT s.id, r._INTERNAL_DELMARK FROM sql_selraw.t AS s
  JOIN (SELRAW id, max(_INTERNAL_DELMARK) AS _INTERNAL_DELMARK FROM sql_selraw.t GROUP BY id) AS r
  ON r.id = s.id ORDER BY id;
--> 1	0
--> 5	0
SELRAW id FROM sql_selraw.t WHERE id = 5 UNION ALL SELECT id FROM sql_selraw.t WHERE id = 5;
--> 5
--> 5
SELECT * FROM (SELECT id FROM sql_selraw.t WHERE id = 5
  UNION ALL SELRAW _INTERNAL_DELMARK FROM sql_selraw.t WHERE id = 5) ORDER BY id;
--> 0
--> 5
WITH stored AS (SELRAW id, _INTERNAL_VERSION AS v FROM sql_selraw.t)
  SELECT count() FROM sql_selraw.t WHERE id IN (SELECT id FROM stored);
--> 2
WITH living AS (SELECT id FROM sql_selraw.t)
  SELRAW DISTINCT id FROM sql_selraw.t WHERE id IN (SELECT id FROM living) ORDER BY id;
--> 1
--> 5
SELRAW count() FROM (SELECT * FROM sql_selraw.t);
--> 2
SELECT _INTERNAL_VERSION > 0 FROM (SELRAW * FROM sql_selraw.t WHERE id = 5);
--> 1

-- Words, comments, clauses and forms.

selraw id from sql_selraw.t where id = 5;
--> 5
/* SELECT */ SELRAW /* FROM nosuch */ id -- comment
FROM `sql_selraw`."t" WHERE id = 5 # end
SETTINGS max_threads = 1;
--> 5
(SELRAW id FROM sql_selraw.t WHERE id = 5);
--> 5
-- SELRAW comes first in its query.
FROM sql_selraw.t SELRAW id WHERE id = 5;
--! syntax error
SELRAW DISTINCT s FROM sql_selraw.t WHERE id = 5 LIMIT 1;
--> e
SELRAW 1 + 1;
--> 2
SELECT 'SELRAW * FROM t' AS selraw;
--> SELRAW * FROM t
SELECT s AS selraw FROM sql_selraw.t WHERE id = 5;
--> e
SELRAW nosuch FROM sql_selraw.t;
--! nosuch
SELRAW * FROM sql_selraw.nosuch;
--! nosuch

-- Plain tables and views in it are what they are.

CREATE TABLE sql_selraw.plain (id UInt32, p String) ENGINE = MergeTree ORDER BY id;
INSERT INTO sql_selraw.plain VALUES (5, 'five'), (6, 'six');
SELRAW * FROM sql_selraw.plain ORDER BY id;
--> 5	five
--> 6	six
SELRAW t.id, p, _INTERNAL_DELMARK FROM sql_selraw.t AS t JOIN sql_selraw.plain AS p ON p.id = t.id;
--> 5	five	0
SELRAW number FROM numbers(2) ORDER BY number;
--> 0
--> 1

-- To keep what is stored.

CREATE TABLE sql_selraw.kept (id UInt32, v UInt64, m UInt8) ENGINE = MergeTree ORDER BY id;
INSERT INTO sql_selraw.kept SELRAW id, _INTERNAL_VERSION, _INTERNAL_DELMARK FROM sql_selraw.t
  WHERE id = 5;
SELECT id, v > 0, m FROM sql_selraw.kept;
--> 5	1	0

-- Composite and expression keys.

CREATE TABLE sql_selraw.wide (a UInt32, ts DateTime('UTC'), n Int32)
  ENGINE = MutableMergeTree ORDER BY (toDate(ts), a);
INSERT INTO sql_selraw.wide VALUES (1, '2024-01-01 00:00:00', 1), (1, '2024-01-01 01:00:00', 2);
INSERT INTO sql_selraw.wide VALUES (1, '2024-01-02 00:00:00', 3);
OPTIMIZE TABLE sql_selraw.wide;
SELRAW * EXCEPT(_INTERNAL_VERSION) FROM sql_selraw.wide ORDER BY n;
--> 1	2024-01-01 01:00:00	2	0
--> 1	2024-01-02 00:00:00	3	0

DROP DATABASE sql_selraw;
