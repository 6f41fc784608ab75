//! A health officer's browser: signs in to the portal, presses the button, reads the teleTAN out.

use core::net::{Ipv4Addr, SocketAddr};

use super::story::{Mishap, ensure};
use crate::client::{Answer, Client};

/// A browser with one cookie.
#[derive(Debug)]
pub(super) struct Officer {
    client: Client,
    portal: SocketAddr,
    cookie: String,
}

/// What the officer sees after pressing the button.
#[derive(Debug)]
pub(super) struct ShownTeleTan {
    pub(super) tele_tan: String,
    /// As the page shows it, in groups.
    pub(super) grouped: String,
    /// As the page has it for machines, RFC 3339.
    pub(super) valid_until: String,
}

impl Officer {
    /// Opens the portal and signs in.
    pub(super) async fn sign_in(portal: SocketAddr, user: &str, password: &str) -> Result<Self, Mishap> {
        let client = Client::from_address(Ipv4Addr::new(127, 9, 2, 1).into());
        let mut officer = Self { client, portal, cookie: String::new() };
        let page = officer.get("/portal").await?;
        let csrf = value_of(&page, "name=\"csrf\" value=\"")?;
        let form = [("csrf", csrf.as_str()), ("user", user), ("password", password)];
        officer.post("/portal/sign-in", &form).await?;
        Ok(officer)
    }

    /// Has a teleTAN issued for a positive test and reads it from the page.
    pub(super) async fn issue_tele_tan(&mut self) -> Result<ShownTeleTan, Mishap> {
        let page = self.get("/portal").await?;
        let csrf = value_of(&page, "name=\"csrf\" value=\"")?;
        let page = self.post("/portal/teletan", &[("csrf", csrf.as_str()), ("type", "TEST")]).await?;
        Ok(ShownTeleTan {
            tele_tan: value_of(&page, "data-teletan=\"")?,
            grouped: between(&page, "<output", "</output>")
                .and_then(|output| output.rsplit('>').next())
                .map(str::to_owned)
                .ok_or_else(|| Mishap("the page shows no teleTAN".to_owned()))?,
            valid_until: value_of(&page, "<time datetime=\"")?,
        })
    }

    async fn get(&mut self, path: &str) -> Result<String, Mishap> {
        let cookie = self.cookie.clone();
        let answer = self.client.get_with(self.portal, path, &[("cookie", &cookie)]).await?;
        self.page(answer).await
    }

    /// Sends a form and follows the redirection that answers it.
    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Result<String, Mishap> {
        let origin = format!("http://{}", self.portal);
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("cookie", self.cookie.as_str()),
            ("origin", origin.as_str()),
        ];
        let answer = self.client.post(self.portal, path, &headers, urlencoded(form)).await?;
        self.page(answer).await
    }

    async fn page(&mut self, answer: Answer) -> Result<String, Mishap> {
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str()?;
            self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        }
        if answer.status.is_redirection() {
            let to = answer.headers.get("location").map(|to| to.to_str().map(str::to_owned)).transpose()?;
            let to = to.ok_or_else(|| Mishap("the portal leads nowhere".to_owned()))?;
            return Box::pin(self.get(&to)).await;
        }
        ensure!(answer.status.is_success(), "the portal answered {}", answer.status);
        Ok(String::from_utf8(answer.body.to_vec())?)
    }
}

/// What stands in the page between `opening` and the next quotation mark.
fn value_of(page: &str, opening: &str) -> Result<String, Mishap> {
    between(page, opening, "\"")
        .map(str::to_owned)
        .ok_or_else(|| Mishap(format!("the page holds nothing like {opening:?}")))
}

fn between<'a>(text: &'a str, opening: &str, closing: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(opening)?;
    rest.split_once(closing).map(|(value, _)| value)
}

/// `application/x-www-form-urlencoded` (WHATWG URL Standard), with everything but letters and digits escaped.
fn urlencoded(form: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect()
    };
    form.iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect::<Vec<_>>()
        .join("&")
}
