"""A second implementation of what the vectors test, independent of the Rust crates: written from the specifications, sharing no code."""
