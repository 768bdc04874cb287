.PHONY: help build spark release install deb test-deb demo demo-spark test docs-test soak bench bench-spark screenshots release-notes doc test-container fuzz fmt check clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

build: ## the command line and the ADBC driver, for development: .build/debug/magic
	scripts/setup
	swift build --product magic
	swift build --product adbc_driver_magic

spark: ## the Spark connector: .build-spark/spark-magic.jar
	scripts/setup spark
	scripts/build-spark

PREFIX ?= /usr/local

release:
	scripts/setup package
	swift build -c release --scratch-path .build-release --product magic
	swift build -c release --scratch-path .build-release --product adbc_driver_magic
	scripts/build-spark

install: release ## the programs, connector, man pages, completions and unit, below PREFIX (/usr/local)
	scripts/install $(PREFIX)

deb: release ## the same as a Debian package, .build-packages/magic-db_*.deb
	scripts/package-deb

test-deb: ## installs that package in an empty Debian, uses it and removes it; needs root and debootstrap
	scripts/test-deb

test-container: ## builds the image of packaging/Containerfile from that package, and uses it; needs root, debootstrap and buildah
	scripts/test-container

release-notes: ## what CHANGELOG.md says of a release: make release-notes VERSION=0.1.0 (default: unreleased)
	@scripts/release-notes $(VERSION)

demo: ## a shop on MariaDB, copied live and queried on both sides; cleans up after itself
	scripts/demo

demo-spark: ## the same shop in Spark: a join, an aggregate and a MERGE in spark-sql
	scripts/demo-spark

test: ## unit, integration and system tests
	scripts/test

docs-test: build spark ## runs every command and code block of the pages, and checks their links; needs root
	scripts/docs-test

soak: ## tests at full length: models, 20 kills, a random workload of 10 minutes (about an hour)
	scripts/setup soak
	swift build --build-tests
	MAGIC_SOAK=1 swift test --skip-build --disable-xctest --filter 'LatchSimulationTests|CommitPointModelTests'
	scripts/test-system --soak

bench: ## decoding, mutable tables, interfaces, latches and the writer beside their peers; see scripts/bench
	scripts/bench $(BENCH)

screenshots: ## the pictures of the web console in docs/pictures
	scripts/screenshots

bench-spark: ## Spark on Magic beside Spark on Parquet and on MariaDB (half an hour); see scripts/bench_spark.py
	scripts/bench spark

doc: ## the reference of the Swift libraries by DocC, .build-docs/magic.doccarchive; a warning is an error
	scripts/doc

fuzz: ## every decoder on random input, one minute each
	scripts/fuzz

fmt: ## formats all Swift sources
	swift format --in-place --recursive Package.swift Sources Tests Benchmarks Fuzz/Package.swift Fuzz/Sources

check: ## formatting, and that every target imports only what it declares
	scripts/check

clean: ## removes what was built (the fetched .deps stay)
	rm -rf .build .build-*
