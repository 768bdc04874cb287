-- What would be wrong is refused, with the reason, and changes nothing.

CREATE DATABASE sql_refused;
CREATE TABLE sql_refused.t (id UInt32, d Date, n Int32)
  ENGINE = MutableMergeTree PARTITION BY toYYYYMM(d) ORDER BY (id, d);
INSERT INTO sql_refused.t VALUES (1, '2024-01-01', 1), (2, '2024-02-01', 2);

-- Partitions and TTL that a change of the row could move.

CREATE TABLE sql_refused.a (id UInt32, n Int32)
  ENGINE = MutableMergeTree PARTITION BY n ORDER BY id;
--! PARTITION BY
CREATE TABLE sql_refused.a (id UInt32, d Date)
  ENGINE = MutableMergeTree PARTITION BY toYYYYMM(d) ORDER BY id;
--! PARTITION BY
CREATE TABLE sql_refused.a (id UInt32, d Date)
  ENGINE = MutableMergeTree PARTITION BY (id, d) ORDER BY id;
--! PARTITION BY
CREATE TABLE sql_refused.a (id UInt32, ts DateTime)
  ENGINE = MutableMergeTree ORDER BY id TTL ts + INTERVAL 1 DAY;
--! TTL
CREATE TABLE sql_refused.a (id UInt32, ts DateTime, n Int32 TTL ts + INTERVAL 1 DAY)
  ENGINE = MutableMergeTree ORDER BY id;
--! TTL
CREATE TABLE sql_refused.a (id UInt32, ts DateTime, n Int32)
  ENGINE = MutableMergeTree ORDER BY (id, ts) TTL ts + INTERVAL 1 DAY DELETE WHERE n > 1;
--! TTL

-- Keys.

CREATE TABLE sql_refused.a (id UInt32, n Int32)
  ENGINE = MutableMergeTree PRIMARY KEY id ORDER BY (id, n);
--! PRIMARY KEY
CREATE TABLE sql_refused.a (id Float64, n Int32) ENGINE = MutableMergeTree ORDER BY id;
--! Float
CREATE TABLE sql_refused.a (a UInt8, b Float32) ENGINE = MutableMergeTree ORDER BY (a, b);
--! Float
CREATE TABLE sql_refused.a (id Nullable(UInt32)) ENGINE = MutableMergeTree ORDER BY id;
--! Nullable

-- Kinds of columns that are computed elsewhere than in the row, and projections.

CREATE TABLE sql_refused.a (id UInt32, m UInt32 MATERIALIZED id + 1)
  ENGINE = MutableMergeTree ORDER BY id;
--! MATERIALIZED
CREATE TABLE sql_refused.a (id UInt32, m UInt32 ALIAS id + 1)
  ENGINE = MutableMergeTree ORDER BY id;
--! ALIAS
CREATE TABLE sql_refused.a (id UInt32, m UInt32 EPHEMERAL 1)
  ENGINE = MutableMergeTree ORDER BY id;
--! EPHEMERAL
CREATE TABLE sql_refused.a (id UInt32, n Int32, PROJECTION p (SELECT n ORDER BY n))
  ENGINE = MutableMergeTree ORDER BY id;
--! projection

-- The hidden columns belong to the layer.

CREATE TABLE sql_refused.a (id UInt32, _INTERNAL_VERSION UInt64)
  ENGINE = MutableMergeTree ORDER BY id;
--! _INTERNAL_VERSION
CREATE TABLE sql_refused.a (id UInt32, `_INTERNAL_DELMARK` UInt8)
  ENGINE = MutableMergeTree ORDER BY id;
--! _INTERNAL_DELMARK
CREATE TABLE sql_refused.a ENGINE = MutableMergeTree ORDER BY id
  AS SELECT 1 AS id, 2 AS _INTERNAL_VERSION;
--! _INTERNAL_VERSION
INSERT INTO sql_refused.t (id, d, n, _INTERNAL_VERSION) VALUES (1, '2024-01-01', 1, 1);
--! _INTERNAL_VERSION
INSERT INTO sql_refused.t (id, d, n, "_INTERNAL_DELMARK") VALUES (1, '2024-01-01', 1, 1);
--! _INTERNAL_DELMARK
INSERT INTO sql_refused.t SELECT 1, '2024-01-01', 1, 5, 1;
--!
ALTER TABLE sql_refused.t ADD COLUMN _INTERNAL_VERSION UInt64;
--! _INTERNAL_VERSION
ALTER TABLE sql_refused.t DROP COLUMN _INTERNAL_VERSION;
--! _INTERNAL_VERSION
ALTER TABLE sql_refused.t MODIFY COLUMN `_INTERNAL_DELMARK` UInt16;
--! _INTERNAL_DELMARK
ALTER TABLE sql_refused.t RENAME COLUMN n TO _INTERNAL_VERSION;
--! _INTERNAL_VERSION
ALTER TABLE sql_refused.t RENAME COLUMN "_INTERNAL_DELMARK" TO n2;
--! _INTERNAL_DELMARK
ALTER TABLE sql_refused.t COMMENT COLUMN _INTERNAL_VERSION 'x';
--! _INTERNAL_VERSION

-- Commands of the engine that would go past the layer.

ALTER TABLE sql_refused.t UPDATE n = 1 WHERE 1;
--! UPDATE
ALTER TABLE sql_refused.t DELETE WHERE 1;
--! DELETE
ALTER TABLE sql_refused.t ADD COLUMN x UInt8, DELETE WHERE 1;
--! DELETE
alter table sql_refused.t /* ADD COLUMN */ delete where 1;
--! DELETE
ALTER TABLE sql_refused.t (DELETE WHERE 1);
--! DELETE
ALTER TABLE sql_refused.t DROP PARTITION 202401;
--! PARTITION
ALTER TABLE sql_refused.t DETACH PARTITION 202401;
--! PARTITION
ALTER TABLE sql_refused.t ATTACH PARTITION 202401;
--! PARTITION
ALTER TABLE sql_refused.t DROP PART '202401_1_1_0';
--! PART
ALTER TABLE sql_refused.t FREEZE;
--! FREEZE
ALTER TABLE sql_refused.t FREEZE PARTITION 202401;
--! PARTITION
ALTER TABLE sql_refused.t REPLACE PARTITION 202401 FROM sql_refused.other;
--! PARTITION
ALTER TABLE sql_refused.t MOVE PARTITION 202401 TO TABLE sql_refused.other;
--! PARTITION
ALTER TABLE sql_refused.t CLEAR COLUMN n IN PARTITION 202401;
--! CLEAR COLUMN
ALTER TABLE sql_refused.t MODIFY ORDER BY (id, d, n);
--! MODIFY ORDER
ALTER TABLE sql_refused.t ADD PROJECTION p (SELECT n ORDER BY n);
--! projection
ALTER TABLE sql_refused.t MATERIALIZE PROJECTION p;
--! projection
ALTER TABLE sql_refused.t MODIFY TTL toDateTime(n) + INTERVAL 1 DAY;
--! TTL
ALTER TABLE sql_refused.t ADD COLUMN m UInt32 MATERIALIZED id + 1;
--! MATERIALIZED
ALTER TABLE sql_refused.t ADD COLUMN m UInt32 ALIAS id + 1;
--! ALIAS
ALTER TABLE sql_refused.t MODIFY COLUMN n Int32 MATERIALIZED id + 1;
--! MATERIALIZED
ALTER TABLE sql_refused.t ADD COLUMN m Int32 TTL d + INTERVAL n DAY;
--! TTL
ALTER TABLE sql_refused.t ADD COLUMN m UInt32 EPHEMERAL;
--! EPHEMERAL
DETACH TABLE sql_refused.t;
--! DETACH
DETACH TABLE sql_refused.t PERMANENTLY;
--! DETACH
ATTACH TABLE sql_refused.t;
--! mutable
DETACH DATABASE sql_refused;
--! DETACH
ATTACH TABLE sql_refused.a (id UInt32) ENGINE = MutableMergeTree ORDER BY id;
--! ATTACH
DROP VIEW sql_refused.t;
--! DROP TABLE
CREATE TABLE sql_refused.c CLONE AS sql_refused.t;
--! CLONE
CREATE TABLE sql_refused.c CLONE AS sql_refused.t ENGINE = MergeTree ORDER BY id;
--! CLONE
CREATE OR REPLACE VIEW sql_refused.t AS SELECT 1;
--!
CREATE VIEW sql_refused.t AS SELECT 1;
--! already exists

-- Where the layer keeps things.

SELECT * FROM _magic.t1;
--! _magic
CREATE TABLE _magic.mine (id UInt32) ENGINE = MergeTree ORDER BY id;
--! _magic
CREATE DATABASE _magic;
--! _magic
DROP DATABASE _magic;
--! _magic
drop database if exists `_magic` sync;
--! _magic
INSERT INTO "_magic".t1 VALUES (1);
--! _magic
ALTER TABLE _magic.t1 DELETE WHERE 1;
--! _magic
RENAME TABLE sql_refused.t TO _magic.t;
--! _magic
CREATE VIEW sql_refused.v AS SELECT * FROM _magic.t1;
--! _magic
USE _magic;
--! _magic
SELECT '_magic', 1 AS `not_magic`;
--> _magic	1

-- The setting by which the layer tells its own reads.

SELECT count() FROM sql_refused.t SETTINGS hdfs_replication = 1;
--! hdfs_replication
INSERT INTO sql_refused.t SETTINGS async_insert = 1, wait_for_async_insert = 0
  VALUES (9, '2024-01-01', 9);
--! wait_for_async_insert
SET hdfs_replication = 1;
--! hdfs_replication
SELECT count() FROM (SELECT * FROM sql_refused.t SETTINGS hdfs_replication = 1);
--! hdfs_replication
INSERT INTO sql_refused.t SETTINGS hdfs_replication = 1 VALUES (1, '2024-01-01', 9);
--! hdfs_replication
SELECT 1 SETTINGS `hdfs_replication` = 1;
--! hdfs_replication

-- Several statements at once.

SELECT 1; SELECT 2;
--! more than one
UPDATE sql_refused.t SET n = 9 WHERE 1; DELETE FROM sql_refused.t WHERE 1;
--!

-- Nothing of all that happened, and nothing is left.

SELECT * FROM sql_refused.t ORDER BY id;
--> 1	2024-01-01	1
--> 2	2024-02-01	2
SHOW TABLES FROM sql_refused;
--> t
SELECT name FROM system.columns WHERE database = 'sql_refused' AND table = 't' ORDER BY position;
--> id
--> d
--> n
UPDATE sql_refused.t SET n = n + 1 WHERE id = 1;
--# 1
SELECT n FROM sql_refused.t WHERE id = 1;
--> 2

DROP DATABASE sql_refused;
