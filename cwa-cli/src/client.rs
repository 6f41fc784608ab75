//! One HTTP request at a time, from an address of the caller's choosing, with bounds on time and size.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use cwa_crypto::UnixTime;
use cwa_crypto::schedule::ClockSkew;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, DATE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};

/// How long one request may take, from connecting to the last byte of the answer.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Largest answer that is read, in bytes: the size limit of an export archive.
const ANSWER_LIMIT: usize = 32 << 20;

/// A sender of requests. Each request opens a connection of its own, as requests of different phones do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    source: IpAddr,
}

/// What came back, complete.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why no complete answer came back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// No connection.
    #[error("{to} cannot be reached")]
    Connect {
        to: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    /// The connection ended before the answer did.
    #[error("the connection broke before the answer was complete")]
    Broken(#[source] Box<dyn core::error::Error + Send + Sync>),
    /// Nothing came in time.
    #[error("no complete answer within {} s", TIME_LIMIT.as_secs())]
    Late,
    /// The request itself cannot be put into HTTP.
    #[error("not a valid request")]
    Request(#[from] hyper::http::Error),
}

impl Answer {
    /// How far the device's clock, which showed `device` when the answer came, is off from the `Date` of the answer
    /// (RFC 9110, 6.6.1); `None` if there is no such header.
    pub(crate) fn clock_skew(&self, device: UnixTime) -> Option<ClockSkew> {
        let date = self.headers.get(DATE)?.to_str().ok()?;
        let seconds = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_second();
        Some(ClockSkew::between(device, UnixTime::from_secs(seconds.try_into().ok()?)))
    }
}

impl Client {
    /// A client whose connections come from `source`.
    pub(crate) const fn from_address(source: IpAddr) -> Self {
        Self { source }
    }

    /// GET.
    pub(crate) async fn get(&self, to: SocketAddr, path: &str) -> Result<Answer, ClientError> {
        self.get_with(to, path, &[]).await
    }

    /// GET with these headers.
    pub(crate) async fn get_with(
        &self,
        to: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, ClientError> {
        self.send(to, Method::GET, path, headers, Bytes::new()).await
    }

    /// POST with these headers.
    pub(crate) async fn post(
        &self,
        to: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, ClientError> {
        self.send(to, Method::POST, path, headers, body.into()).await
    }

    async fn send(
        &self,
        to: SocketAddr,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, to.to_string())
            .header(CONTENT_LENGTH, HeaderValue::from(body.len()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body))?;
        tokio::time::timeout(TIME_LIMIT, self.exchange(to, request)).await.map_err(|_| ClientError::Late)?
    }

    async fn exchange(&self, to: SocketAddr, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let stream = self.connect(to).await.map_err(|source| ClientError::Connect { to, source })?;
        let broken = |error: hyper::Error| ClientError::Broken(Box::new(error));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let driver = tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(broken)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(ClientError::Broken)?.to_bytes();
        driver.abort();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    async fn connect(&self, to: SocketAddr) -> std::io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(self.source, 0))?;
        socket.connect(to).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skew(date: Option<&str>, device: u64) -> Option<i64> {
        let mut headers = HeaderMap::new();
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        let answer = Answer { status: StatusCode::OK, headers, body: Bytes::new() };
        answer.clock_skew(UnixTime::from_secs(device)).map(ClockSkew::seconds)
    }

    #[test]
    fn the_date_of_an_answer_says_how_far_the_clock_is_off() {
        // The example of RFC 9110, 5.6.7.
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(skew(date, 784_111_777), Some(0));
        assert_eq!(skew(date, 784_111_777 + 7201), Some(7201));
        assert_eq!(skew(date, 784_111_777 - 7201), Some(-7201));
    }

    #[test]
    fn an_answer_without_a_date_says_nothing() {
        for date in [None, Some(""), Some("yesterday"), Some("Wed, 31 Dec 1969 23:59:59 GMT")] {
            assert_eq!(skew(date, 0), None, "{date:?}");
        }
    }
}
