-- Keys that wait are found without an index: each would be inserted into it, and moved in it when it is published.
DROP INDEX diagnosis_key_package_hour;
CREATE INDEX diagnosis_key_package_hour ON diagnosis_key (package_hour) WHERE package_hour IS NOT NULL;
