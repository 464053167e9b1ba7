//! Server-sent events: a body that is written as it comes, and as fast as somebody reads.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::Response;
use hyper::body::Frame;
use serde_json::Value;
use tokio::sync::mpsc;

/// The media type of server-sent events.
pub(super) const MEDIA_TYPE: &str = "text/event-stream";

/// Events that wait for a reader; the next one waits where it is made.
const WAITING: usize = 4;

/// Where events are told.
pub(super) struct Events(mpsc::Sender<Bytes>);

/// Nobody reads any more.
pub(super) struct Left;

impl Events {
    /// Tells an event: one line of JSON.
    pub(super) async fn tell(&self, name: &str, data: &Value) -> Result<(), Left> {
        self.write(format!("event: {name}\ndata: {data}\n\n")).await
    }

    /// Says nothing, so that both ends know that the other is there.
    pub(super) async fn breathe(&self) -> Result<(), Left> {
        self.write(":\n\n".to_owned()).await
    }

    async fn write(&self, text: String) -> Result<(), Left> {
        self.0.send(text.into()).await.map_err(|_| Left)
    }
}

/// Events, and the answer that they become.
pub(super) fn events() -> (Events, Response) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut response = Response::new(Body::new(Stream(receiver)));
    let kind = HeaderValue::from_static(MEDIA_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    (Events(sender), response)
}

struct Stream(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = self.0.poll_recv(context);
        bytes.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
