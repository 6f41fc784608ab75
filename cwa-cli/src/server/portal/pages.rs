//! The portal's pages: plain HTML, no script, every value escaped.

use core::fmt;

use cwa_crypto::UnixTime;
use cwa_verify::TeleTan;

/// Text inside HTML, in elements and in quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// The form to sign in with; `problem` stands above it.
pub(super) fn sign_in(csrf: &str, problem: Option<&str>) -> String {
    page(
        "Sign in",
        None,
        &format!(
            r#"<h1>Sign in</h1>
{problem}<form method="post" action="/portal/sign-in">
<input type="hidden" name="csrf" value="{csrf}">
<p><label for="user">User name</label>
<input id="user" name="user" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus></p>
<p><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required></p>
<p><button type="submit">Sign in</button></p>
</form>
"#,
            problem = problem_text(problem),
            csrf = Escaped(csrf),
        ),
    )
}

/// Who is signed in, and what they may have issued.
#[derive(Clone, Copy, Debug)]
pub(super) struct Officer<'a> {
    pub(super) user: &'a str,
    pub(super) csrf: &'a str,
    pub(super) may_issue_for_tests: bool,
    pub(super) may_issue_for_events: bool,
}

/// The page on which an officer chooses.
pub(super) fn choose(officer: Officer<'_>, problem: Option<&str>) -> String {
    page(
        "Issue a teleTAN",
        Some(officer),
        &format!(
            "<h1>Issue a teleTAN</h1>\n{}<p>Make sure that the caller may warn others: ask for the positive test result. \
             A teleTAN lets one phone upload its keys.</p>\n{}",
            problem_text(problem),
            buttons(officer),
        ),
    )
}

/// The page that shows a teleTAN.
pub(super) fn issued(officer: Officer<'_>, tele_tan: &TeleTan, expires_at: UnixTime, minutes: u64) -> String {
    let spelled: String = tele_tan
        .expose_text()
        .chars()
        .map(|symbol| {
            let word = word(symbol);
            format!("<li><b>{}</b> <span>{word}</span></li>", Escaped(symbol.encode_utf8(&mut [0; 4])))
        })
        .collect();
    page(
        "teleTAN",
        Some(officer),
        &format!(
            r#"<h1>teleTAN</h1>
<p><output class="teletan" id="teletan" data-teletan="{plain}">{grouped}</output></p>
<ol class="spelled" aria-label="teleTAN, spelled">{spelled}</ol>
<p>Valid until <time datetime="{machine}">{people}</time> (UTC), {validity}. It can be used once.</p>
<p class="screen">It is shown only now. When you leave this page, it cannot be shown again.</p>
<h2 class="screen">Another one</h2>
{buttons}"#,
            plain = tele_tan.expose_text(),
            grouped = *tele_tan.expose_grouped(),
            machine = rfc_3339(expires_at),
            people = for_people(expires_at),
            validity = validity(minutes),
            buttons = buttons(officer),
        ),
    )
}

/// A page that only says what is wrong.
pub(super) fn problem(title: &str, text: &str) -> String {
    page(
        title,
        None,
        &format!(
            "<h1>{}</h1>\n<p>{}</p>\n<p><a href=\"/portal\">Back</a></p>\n",
            Escaped(title),
            Escaped(text)
        ),
    )
}

fn page(title: &str, officer: Option<Officer<'_>>, main: &str) -> String {
    let header = officer.map_or_else(String::new, |officer| {
        format!(
            r#"<form method="post" action="/portal/sign-out" class="screen"><input type="hidden" name="csrf" value="{csrf}">
<span>Signed in as <b>{user}</b></span> <button type="submit" class="quiet">Sign out</button></form>
"#,
            user = Escaped(officer.user),
            csrf = Escaped(officer.csrf),
        )
    });
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – Exposure notification portal</title>
<link rel="stylesheet" href="/portal/style.css">
</head>
<body>
<header><span class="name">Exposure notification portal</span>
{header}</header>
<main>
{main}</main>
</body>
</html>
"#,
        title = Escaped(title),
    )
}

fn problem_text(problem: Option<&str>) -> String {
    problem.map_or_else(String::new, |text| {
        format!("<p role=\"alert\" class=\"problem\">{}</p>\n", Escaped(text))
    })
}

fn buttons(officer: Officer<'_>) -> String {
    let mut form = format!(
        "<form method=\"post\" action=\"/portal/teletan\" class=\"screen\">\n<input type=\"hidden\" name=\"csrf\" value=\"{}\">\n<p class=\"choice\">",
        Escaped(officer.csrf)
    );
    if officer.may_issue_for_tests {
        form.push_str("<button type=\"submit\" name=\"type\" value=\"TEST\">For a positive test</button>\n");
    }
    if officer.may_issue_for_events {
        form.push_str("<button type=\"submit\" name=\"type\" value=\"EVENT\">For an event</button>\n");
    }
    if !officer.may_issue_for_tests && !officer.may_issue_for_events {
        form.push_str("Your account may not have teleTANs issued.");
    }
    form.push_str("</p>\n</form>\n");
    form
}

/// The spelling alphabet of radio and aviation; digits as they are spoken.
const fn word(symbol: char) -> &'static str {
    match symbol {
        'A' => "Alfa",
        'B' => "Bravo",
        'C' => "Charlie",
        'D' => "Delta",
        'E' => "Echo",
        'F' => "Foxtrot",
        'G' => "Golf",
        'H' => "Hotel",
        'I' => "India",
        'J' => "Juliett",
        'K' => "Kilo",
        'L' => "Lima",
        'M' => "Mike",
        'N' => "November",
        'O' => "Oscar",
        'P' => "Papa",
        'Q' => "Quebec",
        'R' => "Romeo",
        'S' => "Sierra",
        'T' => "Tango",
        'U' => "Uniform",
        'V' => "Victor",
        'W' => "Whiskey",
        'X' => "X-ray",
        'Y' => "Yankee",
        'Z' => "Zulu",
        '0' => "zero",
        '1' => "one",
        '2' => "two",
        '3' => "three",
        '4' => "four",
        '5' => "five",
        '6' => "six",
        '7' => "seven",
        '8' => "eight",
        '9' => "nine",
        _ => "",
    }
}

fn validity(minutes: u64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, 1) => "for 1 minute".to_owned(),
        (0, minutes) => format!("for {minutes} minutes"),
        (1, 0) => "for 1 hour".to_owned(),
        (hours, 0) => format!("for {hours} hours"),
        (hours, minutes) => format!("for {hours} h {minutes} min"),
    }
}

fn clock(time: UnixTime) -> (u64, u64) {
    let of_day = time.as_secs() % 86_400;
    (of_day / 3600, of_day / 60 % 60)
}

fn for_people(time: UnixTime) -> String {
    let (hour, minute) = clock(time);
    format!("{} {hour:02}:{minute:02}", time.day())
}

fn rfc_3339(time: UnixTime) -> String {
    let (hour, minute) = clock(time);
    format!("{}T{hour:02}:{minute:02}:{:02}Z", time.day(), time.as_secs() % 60)
}

/// The style sheet.
pub(super) const STYLE: &str = r#":root { color-scheme: light; --ink: #1a1f26; --paper: #f4f6f8; --line: #c7ced6; --act: #00519e; --bad: #9b1c1c; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.5 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: .5rem 2rem; align-items: center; justify-content: space-between;
  padding: .75rem 1.5rem; background: #fff; border-bottom: 1px solid var(--line); }
.name { font-weight: 600; }
main { max-width: 44rem; margin: 2rem auto; padding: 1.5rem 2rem 2rem; background: #fff; border: 1px solid var(--line); border-radius: .5rem; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; }
h2 { margin: 2rem 0 .5rem; font-size: 1.125rem; }
label { display: block; font-weight: 600; }
input:not([type=hidden]) { width: 100%; max-width: 24rem; padding: .6rem .75rem; font: inherit; border: 1px solid #6b7682; border-radius: .3rem; }
button { padding: .6rem 1.25rem; font: inherit; font-weight: 600; color: #fff; background: var(--act); border: 2px solid var(--act);
  border-radius: .3rem; cursor: pointer; }
button.quiet { padding: .25rem .75rem; color: var(--act); background: #fff; }
button:focus-visible, input:focus-visible, a:focus-visible { outline: 3px solid #f2a900; outline-offset: 2px; }
.choice { display: flex; flex-wrap: wrap; gap: 1rem; }
.problem { padding: .75rem 1rem; color: var(--bad); background: #fdf0f0; border-left: .3rem solid var(--bad); }
.teletan { display: block; padding: 1rem; text-align: center; white-space: nowrap; letter-spacing: .06em;
  font: 700 clamp(1.75rem, 8vw, 3.75rem)/1.2 ui-monospace, "DejaVu Sans Mono", monospace; background: var(--paper); border-radius: .4rem; }
.spelled { display: grid; grid-template-columns: repeat(5, 1fr); gap: .5rem; margin: 1rem 0; padding: 0; list-style: none; text-align: center; }
.spelled b { display: block; font: 700 1.5rem/1.3 ui-monospace, "DejaVu Sans Mono", monospace; }
@media print { .screen { display: none; } body, main { background: #fff; border: 0; } header { border-bottom: 1px solid #000; } }
"#;

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICER: Officer<'_> = Officer {
        user: "<script>alert('x')</script>",
        csrf: "\"><b>",
        may_issue_for_tests: true,
        may_issue_for_events: false,
    };

    #[test]
    fn values_are_escaped_wherever_they_stand() {
        for page in
            [choose(OFFICER, Some("<i>&")), sign_in(OFFICER.csrf, Some("<i>&")), problem("<i>&", "<i>&")]
        {
            assert!(!page.contains("<script"), "{page}");
            assert!(!page.contains("\"><b>\""), "{page}");
            assert!(!page.contains("<i>"), "{page}");
            assert!(!page.contains("<<"), "{page}");
        }
        assert_eq!(Escaped("<a href=\"x\">'&").to_string(), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }

    #[test]
    fn a_tele_tan_is_shown_in_three_groups_and_spelled() {
        let tele_tan = TeleTan::parse("9A3B578UMG").unwrap();
        let page = issued(OFFICER, &tele_tan, UnixTime::from_secs(1_595_379_600), 60);
        assert!(page.contains("id=\"teletan\" data-teletan=\"9A3B578UMG\">9A3-B57-8UMG</output>"), "{page}");
        assert!(page.contains("<b>U</b> <span>Uniform</span>"), "{page}");
        assert!(
            page.contains(
                "<time datetime=\"2020-07-22T01:00:00Z\">2020-07-22 01:00</time> (UTC), for 1 hour"
            ),
            "{page}"
        );
    }

    #[test]
    fn every_symbol_of_the_alphabet_can_be_spelled() {
        for symbol in "23456789ABCDEFGHJKMNPQRSTUVWXYZ".chars() {
            assert!(!word(symbol).is_empty(), "{symbol}");
        }
    }

    #[test]
    fn an_officer_sees_only_the_buttons_of_their_permissions() {
        assert!(choose(OFFICER, None).contains("value=\"TEST\""));
        assert!(!choose(OFFICER, None).contains("value=\"EVENT\""));
        let events = Officer { may_issue_for_tests: false, may_issue_for_events: true, ..OFFICER };
        assert!(!choose(events, None).contains("value=\"TEST\""));
        assert!(choose(events, None).contains("value=\"EVENT\""));
    }
}
