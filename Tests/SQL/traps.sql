-- What could go wrong without anybody noticing.

CREATE DATABASE sql_traps;
CREATE TABLE sql_traps.t (id UInt32, n Int32, s String) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_traps.t VALUES (1, 1, 'old'), (2, 2, 'old'), (3, 3, 'old');
UPDATE sql_traps.t SET s = 'new' WHERE id = 1;
DELETE FROM sql_traps.t WHERE id = 3;

-- PREWHERE would filter before the newest row is chosen.

SELECT id FROM sql_traps.t PREWHERE s = 'old';
--! PREWHERE
SELECT id FROM sql_traps.t PREWHERE id = 1 WHERE s = 'new';
--! PREWHERE
SELECT count() FROM (SELECT * FROM sql_traps.t PREWHERE s = 'old');
--! PREWHERE
SELECT id FROM sql_traps.t WHERE s = 'old' SETTINGS optimize_move_to_prewhere = 1;
--> 2
SELECT id FROM sql_traps.t WHERE s = 'old'
  SETTINGS optimize_move_to_prewhere = 1, optimize_move_to_prewhere_if_final = 1, final = 1;
--> 2

-- FINAL, in whatever way it is asked for.

SELECT id, s FROM sql_traps.t FINAL ORDER BY id;
--> 1	new
--> 2	old
--? FINAL
SELECT count() FROM sql_traps.t AS x FINAL WHERE s = 'old';
--> 1
--? FINAL
SELECT id, s FROM sql_traps.t ORDER BY id SETTINGS final = 1;
--> 1	new
--> 2	old
SELECT id, s FROM sql_traps.t ORDER BY id SETTINGS final = 0;
--> 1	new
--> 2	old
SELECT (SELECT count() FROM sql_traps.t SETTINGS final = 1), count() FROM sql_traps.t;
--> 2	2
UPDATE sql_traps.t SET n = n + 10 WHERE s = 'old' SETTINGS final = 1;
--# 1
SELECT count() FROM sql_traps.t SAMPLE 1 / 1000000000;
--> 2
--? sampl
-- Other people's tables that FINAL collapses stay as they are.
CREATE TABLE sql_traps.replacing (id UInt32, n Int32) ENGINE = ReplacingMergeTree ORDER BY id;
INSERT INTO sql_traps.replacing VALUES (1, 1);
INSERT INTO sql_traps.replacing VALUES (1, 2);
SELECT count() > 0, (SELECT count() FROM sql_traps.t) FROM sql_traps.replacing;
--> 1	2
SELECT r.n FROM sql_traps.replacing AS r FINAL JOIN sql_traps.t AS t ON t.id = r.id;
--> 2

-- Settings that switch the reading of tables.

SELECT sum(n) FROM sql_traps.t SETTINGS apply_deleted_mask = 0;
--! apply_deleted_mask
SELECT count() FROM sql_traps.t
  SETTINGS optimize_trivial_count_query = 1, optimize_use_implicit_projections = 1;
--> 2
SELECT count() FROM sql_traps.t SETTINGS enable_analyzer = 1, max_threads = 1;
--> 2
SELECT id FROM sql_traps.t ORDER BY id LIMIT 1
  SETTINGS optimize_read_in_order = 1, read_in_order_two_level_merge_threshold = 1;
--> 1
SELECT min(id), max(id) FROM sql_traps.t SETTINGS optimize_use_projections = 1;
--> 1	2
SELECT count() FROM sql_traps.t SETTINGS limit = 1, offset = 0;
--> 2
SELECT count() FROM sql_traps.t SETTINGS max_rows_to_read = 1000000, use_query_cache = 0;
--> 2
SELECT count() FROM sql_traps.t SETTINGS log_comment = '1';
--! log_comment
SELECT count() FROM sql_traps.t SETTINGS max_threads = 1, log_comment;
--! log_comment
SELECT count() FROM sql_traps.t WHERE id IN (SELECT id FROM sql_traps.t SETTINGS log_comment = '0');
--! log_comment
SELECT getSetting('log_comment') = 'mine' FROM sql_traps.t LIMIT 1;
--> 0
SELECT count() FROM sql_traps.t SETTINGS additional_table_filters = {'sql_traps.t': 'id = 1'};
--> 1
SELECT count() FROM sql_traps.t SETTINGS union_default_mode = 'DISTINCT', join_use_nulls = 1,
  transform_null_in = 1, group_by_use_nulls = 1, cast_keep_nullable = 1,
  prefer_column_name_to_alias = 1;
--> 2
SELECT sum(n) FROM sql_traps.t SETTINGS aggregate_functions_null_for_empty = 1,
  data_type_default_nullable = 1;
--> 13
UPDATE sql_traps.t SET n = n + 1 WHERE id = 2 SETTINGS max_threads = 1,
  union_default_mode = '';
--# 1
DELETE FROM sql_traps.t WHERE id = 3 SETTINGS max_threads = 1;
--# 0
SELECT * FROM sql_traps.t ORDER BY id SETTINGS join_use_nulls = 1, transform_null_in = 1;
--> 1	1	new
--> 2	13	old

-- A statement's reads all see the same, however late they start.

SELECT (SELECT sum(n) FROM sql_traps.t), sleep(0.1), (SELECT sum(n) FROM sql_traps.t);
--> 14	0	14
SELECT (SELECT sum(n) + sleepEachRow(0.05) FROM sql_traps.t WHERE id = 1 GROUP BY id), n
  FROM sql_traps.t WHERE n = (SELECT max(n) FROM sql_traps.t WHERE sleepEachRow(0.02) = 0);
--> 1	13
WITH (SELECT count() FROM sql_traps.t WHERE sleepEachRow(0.02) = 0) AS a,
  (SELECT count() FROM sql_traps.t) AS b SELECT a = b, a;
--> 1	2

-- SELRAW beside SELECT.

SELECT count() FROM sql_traps.t WHERE (id, s) IN (SELRAW id, s FROM sql_traps.t);
--> 2
WITH raw AS (SELRAW max(_INTERNAL_VERSION) AS v FROM sql_traps.t), living AS (SELECT *
  FROM sql_traps.t)
  SELECT count(), min(v > 0) FROM living CROSS JOIN raw;
--> 2	1
SELECT selraw FROM (SELECT 1 AS selraw);
--> 1
SELECT `SELRAW` FROM (SELECT 2 AS `SELRAW`);
--> 2

-- Views over views over views.

CREATE VIEW sql_traps.v1 AS SELECT id, n FROM sql_traps.t;
CREATE VIEW sql_traps.v2 AS SELECT a.id AS id, b.n AS n FROM sql_traps.v1 AS a
  JOIN sql_traps.v1 AS b ON a.id = b.id;
CREATE VIEW sql_traps.v3 AS SELECT sum(n) AS n FROM sql_traps.v2
  UNION ALL SELECT n FROM sql_traps.v1 WHERE id = 2;
SELECT n FROM sql_traps.v3 ORDER BY n;
--> 13
--> 14
UPDATE sql_traps.t SET n = 100 WHERE id = 2;
SELECT n FROM sql_traps.v3 ORDER BY n;
--> 100
--> 101
SELECT (SELECT sum(n) FROM sql_traps.v3), (SELECT sum(n) FROM sql_traps.v1), sum(n)
  FROM sql_traps.t;
--> 201	101	101
DROP VIEW sql_traps.v3;

-- Comments and quotes that hide or feign words.

SELECT count() FROM sql_traps.t -- WHERE 0
;
--> 2
SELECT count() FROM sql_traps.t /* WHERE 0 */;
--> 2
/* UPDATE sql_traps.t SET n = 0 WHERE 1 */ SELECT sum(n) FROM sql_traps.t;
--> 101
-- Comments nest.
/* a /* nested */ WHERE 0 */ SELECT count() FROM sql_traps.t;
--> 2
/* a /* nested */ comment */ UPDATE /* /* */ */ sql_traps.t SET n = n /* /**/ + 1 */ WHERE id = 1;
--# 1
SELECT 'DELETE FROM sql_traps.t WHERE 1; --', "n" FROM sql_traps.t WHERE id = 1;
--> DELETE FROM sql_traps.t WHERE 1; --	1
UPDATE sql_traps.t SET s = 'a -- no comment' WHERE id = 1;
--# 1
UPDATE sql_traps.t SET s = 'a /* no comment */' -- WHERE 0
  WHERE id = 2;
--# 1
UPDATE sql_traps.t SET s = '\'; DELETE FROM sql_traps.t WHERE 1; --' WHERE id = 2;
--# 1
UPDATE sql_traps.t SET n = 1 /* WHERE id = 1 */;
--! WHERE 1
DELETE FROM sql_traps.t -- WHERE id = 1
;
--! WHERE 1
UPDATE sql_traps.t SET s = concat('WHERE ', (SELECT any(s) FROM sql_traps.t WHERE id = 1))
  WHERE id = 1;
--# 1
UPDATE sql_traps.t SET n = (n IN (SELECT n FROM sql_traps.t WHERE 1)) + if(1 IN (1, 2), 4, 5)
  WHERE id = 1;
--# 1
SELECT id, n, s FROM sql_traps.t ORDER BY id;
--> 1	5	WHERE a -- no comment
--> 2	100	\'; DELETE FROM sql_traps.t WHERE 1; --
SELECT 1;;
--> 1
INSERT INTO sql_traps.t VALUES (4, 4, ';');;
DELETE FROM sql_traps.t WHERE s = ';';;
--# 1

-- Names that are words of the language or have odd letters.

CREATE TABLE sql_traps.`update` (`where` UInt32, `set` Int32, `Größe 大` String, `a.b` Int8,
  `x"y` Int8)
  ENGINE = MutableMergeTree ORDER BY `where`;
INSERT INTO sql_traps.`update` VALUES (1, 1, 'ä', 1, 1), (2, 2, 'ö', 2, 2);
UPDATE sql_traps.`update` SET `set` = `set` + 1, `Größe 大` = concat(`Größe 大`, '大'), `a.b` = 9,
  `x"y` = -1 WHERE `where` = 1;
--# 1
DELETE FROM sql_traps."update" WHERE "where" = 2;
--# 1
SELECT `where`, `Größe 大`, `a.b`, `x"y` FROM sql_traps.`update`;
--> 1	ä大	9	-1
ALTER TABLE sql_traps.`update` RENAME COLUMN `Größe 大` TO `_größe`;
SELECT `_größe` FROM sql_traps.`update`;
--> ä大
DROP TABLE sql_traps.`update`;
CREATE DATABASE `sql_traps-ö 2`;
CREATE TABLE `sql_traps-ö 2`.`täble.x` (id UInt32, n Int32) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO `sql_traps-ö 2`.`täble.x` VALUES (1, 1), (2, 2);
UPDATE `sql_traps-ö 2`.`täble.x` SET n = 3 WHERE id = 1;
--# 1
DELETE FROM "sql_traps-ö 2"."täble.x" WHERE id = 2;
SELECT x.* FROM `sql_traps-ö 2`.`täble.x` AS x;
--> 1	3
SELECT count() FROM sql_traps.t, `sql_traps-ö 2`.`täble.x`;
--> 2
DROP DATABASE `sql_traps-ö 2`;

-- A name in one database is not the same name in another.

CREATE DATABASE sql_traps_b;
CREATE TABLE sql_traps_b.t (id UInt32, n Int32, s String) ENGINE = MergeTree ORDER BY id;
INSERT INTO sql_traps_b.t VALUES (1, 1, 'plain'), (1, 1, 'plain');
SELECT count() FROM sql_traps_b.t;
--> 2
UPSERT INTO sql_traps_b.t VALUES (1, 1, 'x');
--!
ALTER TABLE sql_traps_b.t DELETE WHERE 1 SETTINGS mutations_sync = 1;
SELECT count() FROM sql_traps_b.t;
--> 0
SELECT count() FROM sql_traps.t;
--> 2
WITH t AS (SELECT 5 AS x) SELECT x FROM t;
--> 5
WITH t AS (SELECT 7 AS id) SELECT t.id, (SELECT count() FROM sql_traps.t) FROM t;
--> 7	2
DROP DATABASE sql_traps_b;

-- Temporary tables and CTEs hide tables of the default database.

CREATE TABLE sql_traps_t (id UInt32) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_traps_t VALUES (1), (1);
WITH sql_traps_t AS (SELECT number AS id FROM numbers(3)) SELECT count() FROM sql_traps_t;
--> 3
SELECT count() FROM sql_traps_t;
--> 1
DROP TABLE sql_traps_t;

-- Text of a statement that no parser likes.

UPDATE;
--!
UPDATE sql_traps.t;
--!
UPDATE sql_traps.t SET;
--!
UPDATE sql_traps.t SET n WHERE 1;
--!
UPDATE sql_traps.t SET n = WHERE 1;
--!
UPDATE sql_traps.t SET n = (1 WHERE 1;
--!
UPDATE sql_traps.t SET n = 1 WHERE (1;
--!
UPDATE sql_traps.t SET n = 1 WHERE 1 garbage following;
--!
UPDATE sql_traps.t SET n = 1 WHERE 1 LIMIT 1;
--!
UPDATE sql_traps.t SET n = 1) WHERE (1 = 1;
--!
UPDATE sql_traps.t SET n = 1 WHERE 1) OR (1 = 1;
--!
UPDATE sql_traps.t SET n = 1 FROM sql_traps.t WHERE 1;
--!
UPDATE sql_traps.t SET n = 'unfinished WHERE 1;
--!
DELETE FROM sql_traps.t WHERE 1) OR (1;
--!
DELETE FROM sql_traps.t WHERE 1 ORDER BY id LIMIT 1;
--!
DELETE FROM sql_traps.t WHERE 1 UNION ALL SELECT 1;
--!
DELETE FROM sql_traps.t USING sql_traps.t WHERE 1;
--!
DELETE;
--!
SELRAW;
--!
IMPORT INTO;
--!
UPSERT INTO sql_traps.t;
--!
SELECT id, n FROM sql_traps.t ORDER BY id;
--> 1	5
--> 2	100

DROP DATABASE sql_traps;
