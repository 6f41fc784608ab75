//! One HTTP request at a time, from an address of the caller's choosing or over one kept connection, with bounds on time
//! and size.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use cwa_crypto::UnixTime;
use cwa_crypto::schedule::ClockSkew;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
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
    /// No address for a name.
    #[error("{host} has no address")]
    Resolve {
        host: String,
        #[source]
        source: std::io::Error,
    },
    /// The connection ended before the answer did, or the answer is larger than is read.
    #[error(
        "the connection broke before the answer was complete, or the answer has more than {ANSWER_LIMIT} bytes"
    )]
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
        let answer = read(sender.send_request(request).await.map_err(broken)?).await?;
        driver.abort();
        Ok(answer)
    }

    async fn connect(&self, to: SocketAddr) -> std::io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(self.source, 0))?;
        socket.connect(to).await
    }
}

/// Requests to one server, over one connection for as long as the server keeps it.
#[derive(Debug)]
pub(crate) struct Session {
    host: String,
    port: u16,
    sender: Option<SendRequest<Full<Bytes>>>,
    connections: usize,
    requests: usize,
}

impl Session {
    /// A session that connects with its first request.
    pub(crate) const fn new(host: String, port: u16) -> Self {
        Self { host, port, sender: None, connections: 0, requests: 0 }
    }

    /// How many connections it has opened.
    pub(crate) const fn connections(&self) -> usize {
        self.connections
    }

    /// How many requests it has sent.
    pub(crate) const fn requests(&self) -> usize {
        self.requests
    }

    /// GET with these headers.
    pub(crate) async fn get(
        &mut self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, ClientError> {
        self.requests += 1;
        let mut request = Request::builder().uri(path).header(HOST, format!("{}:{}", self.host, self.port));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::new()))?;
        tokio::time::timeout(TIME_LIMIT, self.exchange(request)).await.map_err(|_| ClientError::Late)?
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let broken = |error: hyper::Error| ClientError::Broken(Box::new(error));
        // A server may close an idle connection at any time; nothing is lost by asking again over another one.
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
            && let Ok(answer) = sender.send_request(request.clone()).await
        {
            let answer = read(answer).await?;
            self.sender = Some(sender);
            return Ok(answer);
        }
        let mut sender = self.connect().await?;
        let answer = read(sender.send_request(request).await.map_err(broken)?).await?;
        self.sender = Some(sender);
        Ok(answer)
    }

    async fn connect(&mut self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let unresolved = |source| ClientError::Resolve { host: self.host.clone(), source };
        let name = (self.host.trim_start_matches('[').trim_end_matches(']'), self.port);
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host(name).await.map_err(unresolved)?.collect();
        let mut failure = unresolved(std::io::ErrorKind::NotFound.into());
        for to in addresses {
            match TcpStream::connect(to).await {
                Ok(stream) => {
                    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                        .await
                        .map_err(|error| ClientError::Broken(Box::new(error)))?;
                    tokio::spawn(connection);
                    self.connections += 1;
                    return Ok(sender);
                }
                Err(source) => failure = ClientError::Connect { to, source },
            }
        }
        Err(failure)
    }
}

async fn read(answer: hyper::Response<hyper::body::Incoming>) -> Result<Answer, ClientError> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(ClientError::Broken)?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, body })
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
