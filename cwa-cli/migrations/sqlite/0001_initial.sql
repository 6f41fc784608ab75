-- Times are Unix seconds. Hashes are 36 bytes: the id of the key, and an HMAC-SHA-256 under it that is not in here.
-- Tables are kept in the order of their keys, not in the order of arrival: nothing tells which rows came together.

-- Verification: who may submit.

CREATE TABLE session (
  token           BLOB    NOT NULL PRIMARY KEY,
  salt            BLOB    NOT NULL,
  sealed_test_ids BLOB,             -- of a session opened with a test
  tele_tan        BLOB    UNIQUE,   -- of a session opened with a teleTAN
  tele_tan_type   TEXT,
  created_at      INTEGER NOT NULL,
  expires_at      INTEGER NOT NULL,
  tans_used       INTEGER NOT NULL DEFAULT 0,
  next_tan        INTEGER NOT NULL DEFAULT 0,
  retry_request   BLOB    UNIQUE,
  retry_until     INTEGER,
  CHECK ((sealed_test_ids IS NULL) <> (tele_tan IS NULL)),
  CHECK ((retry_request IS NULL) = (retry_until IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX session_expires_at ON session (expires_at);

-- Hashed GUIDs and date-of-birth hashes in one space: each is worth one session.
CREATE TABLE used_test_id (
  id                 BLOB    NOT NULL PRIMARY KEY,
  session_expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tele_tan (
  hash        BLOB    NOT NULL PRIMARY KEY,
  type        TEXT,
  issued_at   INTEGER NOT NULL,
  valid_until INTEGER NOT NULL,
  redeemed    INTEGER NOT NULL DEFAULT 0 CHECK (redeemed IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX tele_tan_issued_at ON tele_tan (issued_at);

-- A session may be forgotten while its last TAN is still good, so there is no foreign key.
CREATE TABLE tan (
  hash          BLOB    NOT NULL PRIMARY KEY,
  session       BLOB    NOT NULL,
  number        INTEGER NOT NULL,
  valid_until   INTEGER NOT NULL,
  tele_tan_type TEXT,
  reservation   BLOB    UNIQUE,
  lease_end     INTEGER,
  UNIQUE (session, number),
  CHECK ((reservation IS NULL) = (lease_end IS NULL))
) STRICT, WITHOUT ROWID;

-- What stays of a TAN that was confirmed, so that a repeated upload gets the same answer.
CREATE TABLE receipt (
  reservation BLOB    NOT NULL PRIMARY KEY,
  until       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE test_result (
  id                  BLOB    NOT NULL PRIMARY KEY,
  result              INTEGER NOT NULL CHECK (result BETWEEN 0 AND 9),
  sample_collected_at INTEGER NOT NULL,
  lab_id              TEXT,
  created_at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX test_result_created_at ON test_result (created_at);

-- Submission and publication. Nothing here refers to a row above, but for the reservation of an upload.

-- What a repeated upload is to be told.
CREATE TABLE submission (
  reservation  BLOB    NOT NULL PRIMARY KEY,
  keys_dropped INTEGER NOT NULL,
  until        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE diagnosis_key (
  key_data                      BLOB    NOT NULL PRIMARY KEY CHECK (length(key_data) = 16),
  rolling_start_interval_number INTEGER NOT NULL,
  rolling_period                INTEGER NOT NULL CHECK (rolling_period BETWEEN 1 AND 144),
  transmission_risk_level       INTEGER,
  report_type                   INTEGER,
  days_since_onset_of_symptoms  INTEGER,
  earliest_hour                 INTEGER NOT NULL,   -- hours since the epoch: the first hour whose package may hold the key
  package_hour                  INTEGER             -- the hour whose package holds the key; null while it waits
) STRICT, WITHOUT ROWID;
CREATE INDEX diagnosis_key_package_hour ON diagnosis_key (package_hour);

-- Every hour and day that was closed, and whether its file is up to date.
CREATE TABLE package (
  start     INTEGER NOT NULL,   -- hours since the epoch
  hours     INTEGER NOT NULL CHECK (hours IN (1, 24)),
  key_count INTEGER NOT NULL,
  stale     INTEGER NOT NULL DEFAULT 1 CHECK (stale IN (0, 1)),
  PRIMARY KEY (hours, start)
) STRICT, WITHOUT ROWID;

-- One row: where the publisher stands.
CREATE TABLE publisher (
  id             INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  next_hour      INTEGER NOT NULL,   -- the first hour that is still open
  last_published INTEGER             -- when the last run was finished
) STRICT;
