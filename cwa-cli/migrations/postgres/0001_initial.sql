-- Times are Unix seconds. Hashes are 36 bytes: the id of the key, and an HMAC-SHA-256 under it that is not in here.

-- Verification: who may submit.

CREATE TABLE session (
  token           BYTEA   NOT NULL PRIMARY KEY,
  salt            BYTEA   NOT NULL,
  sealed_test_ids BYTEA,            -- of a session opened with a test
  tele_tan        BYTEA   UNIQUE,   -- of a session opened with a teleTAN
  tele_tan_type   TEXT,
  created_at      BIGINT  NOT NULL,
  expires_at      BIGINT  NOT NULL,
  tans_used       BIGINT  NOT NULL DEFAULT 0,
  next_tan        BIGINT  NOT NULL DEFAULT 0,
  retry_request   BYTEA   UNIQUE,
  retry_until     BIGINT,
  CHECK ((sealed_test_ids IS NULL) <> (tele_tan IS NULL)),
  CHECK ((retry_request IS NULL) = (retry_until IS NULL))
);
CREATE INDEX session_expires_at ON session (expires_at);

-- Hashed GUIDs and date-of-birth hashes in one space: each is worth one session.
CREATE TABLE used_test_id (
  id                 BYTEA  NOT NULL PRIMARY KEY,
  session_expires_at BIGINT NOT NULL
);

CREATE TABLE tele_tan (
  hash        BYTEA   NOT NULL PRIMARY KEY,
  type        TEXT,
  issued_at   BIGINT  NOT NULL,
  valid_until BIGINT  NOT NULL,
  redeemed    BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX tele_tan_issued_at ON tele_tan (issued_at);

-- A session may be forgotten while its last TAN is still good, so there is no foreign key.
CREATE TABLE tan (
  hash          BYTEA  NOT NULL PRIMARY KEY,
  session       BYTEA  NOT NULL,
  number        BIGINT NOT NULL,
  valid_until   BIGINT NOT NULL,
  tele_tan_type TEXT,
  reservation   BYTEA  UNIQUE,
  lease_end     BIGINT,
  UNIQUE (session, number),
  CHECK ((reservation IS NULL) = (lease_end IS NULL))
);

-- What stays of a TAN that was confirmed, so that a repeated upload gets the same answer.
CREATE TABLE receipt (
  reservation BYTEA  NOT NULL PRIMARY KEY,
  until       BIGINT NOT NULL
);

CREATE TABLE test_result (
  id                  BYTEA    NOT NULL PRIMARY KEY,
  result              SMALLINT NOT NULL CHECK (result BETWEEN 0 AND 9),
  sample_collected_at BIGINT   NOT NULL,
  lab_id              TEXT,
  created_at          BIGINT   NOT NULL
);
CREATE INDEX test_result_created_at ON test_result (created_at);

-- Submission and publication. Nothing here refers to a row above, but for the reservation of an upload.

-- What a repeated upload is to be told.
CREATE TABLE submission (
  reservation  BYTEA  NOT NULL PRIMARY KEY,
  keys_dropped BIGINT NOT NULL,
  until        BIGINT NOT NULL
);

CREATE TABLE diagnosis_key (
  key_data                      BYTEA  NOT NULL PRIMARY KEY CHECK (length(key_data) = 16),
  rolling_start_interval_number BIGINT NOT NULL,
  rolling_period                BIGINT NOT NULL CHECK (rolling_period BETWEEN 1 AND 144),
  transmission_risk_level       BIGINT,
  report_type                   BIGINT,
  days_since_onset_of_symptoms  BIGINT,
  earliest_hour                 BIGINT NOT NULL,   -- hours since the epoch: the first hour whose package may hold the key
  package_hour                  BIGINT             -- the hour whose package holds the key; null while it waits
);
CREATE INDEX diagnosis_key_package_hour ON diagnosis_key (package_hour) WHERE package_hour IS NOT NULL;

-- Every hour and day that was closed, and whether its file is up to date.
CREATE TABLE package (
  start     BIGINT  NOT NULL,   -- hours since the epoch
  hours     BIGINT  NOT NULL CHECK (hours IN (1, 24)),
  key_count BIGINT  NOT NULL,
  stale     BOOLEAN NOT NULL DEFAULT TRUE,
  PRIMARY KEY (hours, start)
);

-- One row: where the publisher stands.
CREATE TABLE publisher (
  id             BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
  next_hour      BIGINT NOT NULL,   -- the first hour that is still open
  last_published BIGINT             -- when the last run was finished
);
