//! Server-sent events: a body that is written as it comes, and as fast as somebody reads.
//!
//! A stream may be open for long, so that whoever may no longer read is cut off with the next word.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::Response;
use hyper::body::Frame;
use serde_json::Value;
use tokio::sync::mpsc;

use super::auth::Ticket;
use super::shared::Shared;

/// The media type of server-sent events.
pub(super) const MEDIA_TYPE: &str = "text/event-stream";

/// Events that wait for a reader; the next one waits where it is made.
const WAITING: usize = 4;

/// Where events are told.
pub(super) struct Events {
    to: mpsc::Sender<Bytes>,
    shared: Arc<Shared>,
    ticket: Ticket,
}

/// Nobody reads any more, or may.
pub(super) struct Left;

impl Events {
    /// Tells an event: one line of JSON.
    pub(super) async fn tell(&self, name: &str, data: &Value) -> Result<(), Left> {
        self.write(format!("event: {name}\ndata: {data}\n\n")).await
    }

    /// The same with the id by which a reader that comes back says how far it was.
    pub(super) async fn tell_as(&self, id: &str, name: &str, data: &Value) -> Result<(), Left> {
        self.write(format!("id: {id}\nevent: {name}\ndata: {data}\n\n"))
            .await
    }

    /// Names the place where a reader begins, and after how long to come back.
    pub(super) async fn begin(&self, id: &str, come_back: Duration) -> Result<(), Left> {
        let wait = come_back.as_millis();
        self.write(format!("retry: {wait}\nid: {id}\n\n")).await
    }

    /// Says nothing, so that both ends know that the other is there.
    pub(super) async fn breathe(&self) -> Result<(), Left> {
        self.write(":\n\n".to_owned()).await
    }

    /// Ends when nobody reads any more.
    pub(super) async fn left(&self) {
        self.to.closed().await;
    }

    async fn write(&self, text: String) -> Result<(), Left> {
        let now = self.shared.clock.now();
        if !self.shared.access.is_good(&self.ticket, now) {
            return Err(Left);
        }
        self.to.send(text.into()).await.map_err(|_| Left)
    }
}

/// Events, and the answer that they become, for the holder of this ticket.
pub(super) fn events(shared: &Arc<Shared>, ticket: Ticket) -> (Events, Response) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut response = Response::new(Body::new(Stream(receiver)));
    let kind = HeaderValue::from_static(MEDIA_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    let events = Events {
        to: sender,
        shared: Arc::clone(shared),
        ticket,
    };
    (events, response)
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
