//! What the codes of failures mean: those of `cwa` itself. What is found in files is `cwa_export::finding`'s.

/// A code of a failure: why it happens, and what to do about it.
pub(crate) struct FailureCode {
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    pub(crate) cause: &'static str,
    pub(crate) remedy: &'static str,
}

/// Every code that a command fails with; a test compares it with the source.
pub(crate) const FAILURES: &[FailureCode] = &[
    // 00: files and the command line
    code(
        "CWA-E0001",
        "a file could not be read",
        "It does not exist, may not be read, or is larger than any format needs.",
        "Check the path and its permissions; `-` reads standard input.",
    ),
    code(
        "CWA-E0002",
        "the answer could not be written",
        "Standard output was closed, or the disk behind it is full.",
        "Write to another place.",
    ),
    code(
        "CWA-E0003",
        "a file is not UTF-8 text",
        "It is binary, or in another encoding.",
        "Check that it is the file you mean; convert it with `iconv -t UTF-8`.",
    ),
    code(
        "CWA-E0004",
        "man pages could not be written",
        "The directory cannot be made or written to.",
        "Name another directory.",
    ),
    code(
        "CWA-E0005",
        "standard input was named twice",
        "`-` can stand for one file only: whoever reads it second gets nothing.",
        "Put one of the two into a file.",
    ),
    code(
        "CWA-E0006",
        "a file could not be written",
        "The directory does not exist, may not be written to, or is full. What was there before is unchanged.",
        "Check directory and permissions.",
    ),
    code(
        "CWA-E0007",
        "no code is called that",
        "It is misspelt, or of a system that `cwa explain` does not know.",
        "`cwa explain` without a code lists all.",
    ),
    code(
        "CWA-E0010",
        "a file is no public key of a signer",
        "Export signers have keys on the curve P-256; expected is SubjectPublicKeyInfo in PEM.",
        "`openssl ec -in key.pem -pubout` writes a public key in this form.",
    ),
    code(
        "CWA-E0011",
        "no key can start on this day",
        "Interval numbers have 31 bits; the day lies beyond.",
        "Name a day in this era.",
    ),
    code(
        "CWA-E0012",
        "a private key was given as a public one",
        "Who verifies needs the public half alone; the private half makes signatures, and belongs where they are made.",
        "`openssl ec -in key.pem -pubout` writes the public half. If the private one has been passed around, make a new one.",
    ),
    code(
        "CWA-E0013",
        "a file is no trust store",
        "It is not JSON of the schema cwa.trust/1, holds a key that is none or private, or two of one name.",
        "Make one with `cwa keys import PEM --output STORE`.",
    ),
    code(
        "CWA-E0014",
        "no key has this name",
        "Names are those of `cwa keys list`, in full.",
        "`cwa keys list` shows them; with --trust-store those of your own store.",
    ),
    code(
        "CWA-E0015",
        "a key of this name is there",
        "Names are unique in a store, and one name does not do for several keys.",
        "Give another with --id, one key at a time.",
    ),
    code(
        "CWA-E0016",
        "a file is no certificate of a signer",
        "It has no X.509 certificate in PEM, or one whose key is neither RSA of 2048 to 8192 bits nor ECDSA with P-256.",
        "`openssl x509 -in FILE -noout -text` shows what it is.",
    ),
    // 02: sightings and matching
    code(
        "CWA-E0201",
        "sightings cannot be read",
        "The file is of none of the known forms, or is broken at the place that the message names.",
        "`cwa sightings convert --help` lists the forms.",
    ),
    code(
        "CWA-E0202",
        "a file cannot be read as an export",
        "It is no archive with `export.bin`, no bare export, or is damaged.",
        "`cwa export verify FILE` says what is wrong with it.",
    ),
    code(
        "CWA-E0203",
        "the keys of a file must not be believed",
        "No trusted key signed it, or a rule is broken. Whoever can write keys can make people believe that they met somebody.",
        "`cwa export verify FILE` says why; `--public-key` names the signer's key, and `--danger-accept-unverified` does without.",
    ),
    code(
        "CWA-E0204",
        "a file cannot be used as an index of sightings",
        "It is damaged, or was written by another version.",
        "`cwa sightings index` makes it anew.",
    ),
    code(
        "CWA-E0205",
        "standard output cannot take two things",
        "The index and the JSON document would be mixed.",
        "Name a file with --output, or leave out --json.",
    ),
    code(
        "CWA-E0206",
        "--rules names none",
        "The list of rules is empty.",
        "Name `spec`, `google`, `apple` or `microg`, or several of them.",
    ),
    code(
        "CWA-E0207",
        "the rules refuse a file of keys",
        "A key in it is none by these rules, and they refuse the whole file then.",
        "Compare with other rules: `--rules spec,google` prints what each makes of it.",
    ),
    // 03: packages
    code(
        "CWA-E0302",
        "a signature was given for an archive",
        "An archive brings its own `export.sig`.",
        "Leave out --signature.",
    ),
    code("CWA-E0303", "no profile was given", "--profile is empty.", "Name a profile, or leave it out."),
    code(
        "CWA-E0304",
        "one signature was given for several files",
        "`export.sig` belongs to one `export.bin`.",
        "Give archives, or one bare file at a time.",
    ),
    code(
        "CWA-E0310",
        "a package could not be made",
        "The signer refused, or the content is larger than an archive can hold.",
        "The causes say more.",
    ),
    code(
        "CWA-E0311",
        "a file is no JSON document with keys",
        "Expected is what `cwa export inspect --keys --json` prints, or its list of keys.",
        "Correct what the cause names.",
    ),
    code(
        "CWA-E0312",
        "a value is missing",
        "Neither the flag nor the document with the keys gives it.",
        "Give the flag that the message names.",
    ),
    code(
        "CWA-E0313",
        "a file is no signing key",
        "Expected is a private key on P-256 in PEM, PKCS#8 or SEC 1.",
        "`openssl ecparam -name prime256v1 -genkey -noout -out key.pem` makes one.",
    ),
    code(
        "CWA-E0314",
        "standard output cannot take two things",
        "The archive and the JSON document would be mixed.",
        "Name a file with --output, or leave out --json.",
    ),
    code(
        "CWA-E0315",
        "standard output cannot take two things",
        "SARIF and the JSON document would be mixed.",
        "Name a file with --sarif, or leave out --json.",
    ),
    code(
        "CWA-E0316",
        "keys do not fit into archives of the size that is asked for",
        "A single key takes more than --max-bytes, or several archives are needed and have no end to tell them apart by.",
        "Give a larger limit, or --end.",
    ),
    code(
        "CWA-E0317",
        "standard output cannot take several files",
        "The keys need several archives, or the package is to be signed elsewhere, which takes three files.",
        "Name a file with --output.",
    ),
    code(
        "CWA-E0318",
        "flags are given in different numbers",
        "Every signature has a key, and a name under which devices look it up.",
        "Give each flag once for all, or once for each signature; the message says which.",
    ),
    code(
        "CWA-E0319",
        "padding would be seen",
        "Random keys that stand behind the real ones are told from them by their place.",
        "Leave out --order given.",
    ),
    code(
        "CWA-E0320",
        "an archive of an earlier run is there",
        "Its name says that it is the next one of those that are to be written.",
        "Remove the archives of the earlier run.",
    ),
    code(
        "CWA-E0321",
        "a file is no signature",
        "Expected is ECDSA on P-256, in DER or as 64 bytes of r and s.",
        "Write what the security module gave as it is, not in hex and not in base64.",
    ),
    code(
        "CWA-E0322",
        "signatures cannot be attached",
        "One does not verify under its public key, or there are not as many as the export awaits.",
        "Let the SHA-256 of the .bin file be signed; the public keys stand in the order of the signature infos.",
    ),
    code(
        "CWA-E0330",
        "a directory cannot be audited",
        "It does not exist, may not be read, or changed while it was read.",
        "Name the directory of a mirror, or the one that a server publishes into.",
    ),
    code(
        "CWA-E0331",
        "there is no package to audit",
        "The directory holds neither a distribution nor an archive of keys.",
        "Name the directory in which `version` or `index.txt` lies; `cwa fetch` makes one.",
    ),
    // 04: configuration
    code(
        "CWA-E0401",
        "YAML cannot be read as configuration",
        "It is no YAML, or its members are not those of a configuration.",
        "The message says where; compare with the German server's files.",
    ),
    code(
        "CWA-E0402",
        "a file holds keys, not configuration",
        "Both come in the same kind of archive under the same signing key.",
        "`cwa export inspect FILE` shows keys.",
    ),
    code(
        "CWA-E0403",
        "a file is no application configuration",
        "It is neither version 1 nor 2, signed, bare, or in YAML.",
        "Check that it is the file you mean; statistics and rules come in the same archives.",
    ),
    code(
        "CWA-E0404",
        "two configurations have nothing in common",
        "They are of different versions, or different parts of one.",
        "Compare two configurations of one version, or a part with the same part or with a whole one.",
    ),
    // 05: risk
    code(
        "CWA-E0501",
        "parameters cannot be used",
        "They are of another engine, or out of range.",
        "`cwa risk schema ENGINE` prints what is expected.",
    ),
    code(
        "CWA-E0502",
        "exposures cannot be scored",
        "They are no exposures of this engine, or out of range.",
        "`cwa risk schema ENGINE` prints what is expected.",
    ),
    code(
        "CWA-E0503",
        "nothing can be scored with these parameters",
        "A configuration with such parameters has no score.",
        "The cause says which; `cwa config inspect` says what else is wrong.",
    ),
    code(
        "CWA-E0504",
        "a built-in schema is damaged",
        "This program was built wrongly.",
        "Build it anew, and report it if it stays so.",
    ),
    // 06: the server
    code(
        "CWA-E0601",
        "a server takes no --seed",
        "Its secrets must not be foreseeable: they come from the operating system.",
        "Leave out --seed.",
    ),
    code(
        "CWA-E0602",
        "--demo does not go with --config",
        "--demo makes its own configuration.",
        "Use one of the two.",
    ),
    code(
        "CWA-E0603",
        "the server's configuration cannot be used",
        "A member is unknown, missing, or out of range.",
        "The cause says which; `cwa serve --check-config` tries it without serving.",
    ),
    code(
        "CWA-E0604",
        "no threads for the server",
        "The operating system gives this process no more of them.",
        "Raise its limits.",
    ),
    code(
        "CWA-E0605",
        "there is no signing key",
        "Nothing can be published without.",
        "Name one under [signing], or let `cwa serve --demo` make one.",
    ),
    code(
        "CWA-E0606",
        "the server cannot listen",
        "The address is taken, is not this machine's, or needs more rights.",
        "Name another address, or stop what listens there.",
    ),
    code(
        "CWA-E0607",
        "the application configuration cannot be published",
        "It breaks a rule; what is published decides what people are told.",
        "`cwa config inspect FILE` lists what is wrong.",
    ),
    code(
        "CWA-E0608",
        "publishing was refused or not finished",
        "--now lies before an hour that is already closed, or the tree cannot be written.",
        "The cause says which. An hour's keys are assigned once, so it can be repeated.",
    ),
    code(
        "CWA-E0609",
        "the server did not start",
        "Its storage cannot be opened, or a part of it failed.",
        "The cause says which.",
    ),
    code(
        "CWA-E0610",
        "signals cannot be received",
        "The operating system refuses it; the server could not be stopped in an orderly way.",
        "Check what this process may do.",
    ),
    code(
        "CWA-E0611",
        "there is no data directory",
        "`cwa publish` works on what `cwa serve` has stored.",
        "Name the directory with --data-dir.",
    ),
    // 07: vectors and codes of tests
    code(
        "CWA-E0701",
        "a file cannot be read as test vectors",
        "It is of another format, or its members are not those of its family.",
        "`cwa vectors list --export DIR` writes README and schemas.",
    ),
    code(
        "CWA-E0702",
        "the vectors could not be written",
        "The directory cannot be made or written to.",
        "Name another directory.",
    ),
    code(
        "CWA-E0705",
        "this is not the QR code of a PCR test",
        "Such a code is https://localhost/? and 43 characters.",
        "The cause says what is different; rapid tests have other codes.",
    ),
    // 08: the tour
    code(
        "CWA-E0801",
        "the tour's day cannot be",
        "--now lies before the first day on which keys were published, or too late.",
        "Leave out --now.",
    ),
    code(
        "CWA-E0802",
        "the tour's server did not start",
        "A loopback address or its directory cannot be used.",
        "The message says which.",
    ),
    code(
        "CWA-E0803",
        "the tour cannot go on",
        "A step did not give what the next one needs.",
        "The message says which; report it.",
    ),
    code(
        "CWA-E0804",
        "the tour's directory cannot be used",
        "It cannot be made or written to.",
        "Name another one with --dir.",
    ),
    code(
        "CWA-E0805",
        "no threads for the tour's server",
        "The operating system gives this process no more of them.",
        "Raise its limits.",
    ),
    code(
        "CWA-E0806",
        "the tour's directory is not empty",
        "A tour needs a new directory, so that what it leaves there is its own.",
        "Name another one with --dir.",
    ),
    // 09: distributions
    code(
        "CWA-E0901",
        "a file could not be fetched",
        "The server cannot be reached, broke off, answered with another status than expected, or with more than is read.",
        "Look at the cause that is printed with it, and run the command again: a mirror goes on where it stopped.",
    ),
    code(
        "CWA-E0902",
        "the server has no index",
        "It is no distribution of this layout, or has published nothing yet.",
        "Check --server, --layout and --index.",
    ),
    code(
        "CWA-E0903",
        "an index cannot be used",
        "It is not of this layout, or leads out of the mirror or to another host.",
        "Check --layout; what is wrong and where is printed with it.",
    ),
    code(
        "CWA-E0904",
        "a mirror cannot be read or written",
        "Its directory cannot be made, or a file in it is not accessible.",
        "Check directory and permissions.",
    ),
    code(
        "CWA-E0905",
        "a mirror's state cannot be read",
        "`.cwa-mirror.json` was changed, or is of another version.",
        "Delete it: everything is fetched anew.",
    ),
    code(
        "CWA-E0906",
        "a mirror is of another server",
        "What one server says to be unchanged says nothing about another one's files.",
        "Name another directory with --mirror.",
    ),
    code("CWA-E0907", "no server was given", "A mirror is one of a server.", "Name it with --server."),
    code(
        "CWA-E0908",
        "a country's own server is not contacted",
        "It is history, and its name may belong to somebody else by now.",
        "`cwa fetch --profile CC --dry-run` says what its phones asked for.",
    ),
    code(
        "CWA-E0909",
        "--index is no path",
        "It has a query, an escape, or `..` in it.",
        "Give the path alone, below the server's or, with a leading slash, below its host.",
    ),
    code(
        "CWA-E0910",
        "no layout of a country is known",
        "It had no such app, or nobody has written down where its packages were.",
        "The known ones are printed with it.",
    ),
    code(
        "CWA-E0911",
        "an estimate is too large",
        "Bytes or requests of a day do not fit in 64 bits.",
        "Give smaller numbers.",
    ),
];

const fn code(
    code: &'static str,
    title: &'static str,
    cause: &'static str,
    remedy: &'static str,
) -> FailureCode {
    FailureCode { code, title, cause, remedy }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Every code in quotes in the files below `directory`.
    fn codes_in(directory: &Path, codes: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                codes_in(&path, codes);
            } else if !path.ends_with("failure/catalogue.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let quoted = text.split('"').filter(|part| part.len() == 9 && part.starts_with("CWA-E"));
                codes.extend(quoted.map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_code_that_a_command_fails_with_is_explained_and_no_other() {
        let mut used = BTreeSet::new();
        codes_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
        used.retain(|code| cwa_export::finding::explain(code).is_none());
        let explained: Vec<&str> = FAILURES.iter().map(|failure| failure.code).collect();
        assert_eq!(explained, used.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
