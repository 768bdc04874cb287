-- The shop that all examples read: 200 customers, 50 products, 5,000 orders with 10,000 lines.
--   mariadb -u root < examples/shop.sql
DROP DATABASE IF EXISTS shop;
CREATE DATABASE shop;
USE shop;

CREATE TABLE customers (
  id INT UNSIGNED PRIMARY KEY, name VARCHAR(60) NOT NULL, country CHAR(2) NOT NULL);
CREATE TABLE products (
  id INT UNSIGNED PRIMARY KEY, name VARCHAR(60) NOT NULL, price DECIMAL(10,2) NOT NULL);
CREATE TABLE orders (
  id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, customer_id INT UNSIGNED NOT NULL,
  status ENUM('placed','shipped','cancelled') NOT NULL, placed_at DATETIME NOT NULL, KEY (customer_id));
CREATE TABLE order_items (
  order_id INT UNSIGNED, line TINYINT UNSIGNED, product_id INT UNSIGNED NOT NULL,
  quantity SMALLINT UNSIGNED NOT NULL, price DECIMAL(10,2) NOT NULL, PRIMARY KEY (order_id, line));

INSERT INTO customers
  SELECT seq, CONCAT('Customer ', seq), ELT(1 + seq % 5, 'DE', 'FR', 'GB', 'JP', 'US') FROM seq_1_to_200;
INSERT INTO products
  SELECT seq, CONCAT('Product ', seq), 1 + seq * 0.99 FROM seq_1_to_50;
INSERT INTO orders
  SELECT seq, 1 + seq * 7 % 200, 1 + (seq % 4 > 0) + (seq % 20 = 1), '2026-01-01' + INTERVAL seq * 90 MINUTE
  FROM seq_1_to_5000;
INSERT INTO order_items
  SELECT o.seq, l.seq, p.id, 1 + (o.seq + l.seq) % 3, p.price
  FROM seq_1_to_5000 o JOIN seq_1_to_2 l JOIN products p ON p.id = 1 + (o.seq * 3 + l.seq) % 50;
