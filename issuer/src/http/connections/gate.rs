//! Where [`Connections`] meets the sockets: who comes in, and how a connection ends that has to go.
//!
//! Neither HTTP/1 nor HTTP/2 is looked at: a connection is idle when it has no request, whatever else it sends, for
//! pings are free.

use std::{
    future::{Future, Ready, ready},
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum_server::accept::Accept;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};
use tower::Service;

use super::{Activity, Connections, InFlight, Place};

/// Asks for a place for every connection, before anything is read from it.
#[derive(Clone)]
pub(in crate::http) struct Gate {
    connections: Arc<Connections>,
    /// Whether an address is a proxy of ours, which speaks for many clients.
    is_proxy: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl Gate {
    pub(in crate::http) fn new(
        connections: Arc<Connections>,
        is_proxy: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { connections, is_proxy: Arc::new(is_proxy) }
    }

    fn enter<S>(&self, stream: TcpStream, service: S) -> io::Result<(Watched, Observed<S>)> {
        let peer = stream.peer_addr()?.ip().to_canonical();
        let client = (!(self.is_proxy)(peer)).then_some(peer);
        let now = Instant::now();
        let place = self.connections.admit(client, now).map_err(io::Error::other)?;
        let service = Observed { service, activity: Arc::clone(&place.activity) };
        let alarm = Box::pin(sleep_until(now + self.connections.limits.idle));
        Ok((Watched { stream, alarm, told: false, place }, service))
    }
}

impl<S> Accept<TcpStream, S> for Gate {
    type Stream = Watched;
    type Service = Observed<S>;
    type Future = Ready<io::Result<(Watched, Observed<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.enter(stream, service))
    }
}

/// A connection that ends, as if its client had closed it, when it has been idle for too long or must make room.
pub(in crate::http) struct Watched {
    /// Closed before its place is given back.
    stream: TcpStream,
    /// Never later than the moment at which the connection has been idle for too long.
    alarm: Pin<Box<Sleep>>,
    told: bool,
    place: Place,
}

impl Watched {
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        if !self.told && Pin::new(&mut self.place.told).poll(context).is_ready() {
            self.told = true;
        }
        if self.told && self.place.activity.idle_since().is_some() {
            return true;
        }
        let limit = self.place.connections.limits.idle;
        while self.alarm.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let end = self.place.activity.idle_since().unwrap_or(now) + limit;
            if end <= now {
                return true;
            }
            self.alarm.as_mut().reset(end);
        }
        false
    }

    /// An answer that nobody reads holds a connection as well as silence does.
    fn unless_over<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_pending() && self.is_over(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_over(context) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.unless_over(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.unless_over(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The service of one connection, which says when a request is in flight.
#[derive(Debug, Clone)]
pub(in crate::http) struct Observed<S> {
    service: S,
    activity: Arc<Activity>,
}

impl<S, R> Service<R> for Observed<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let in_flight = InFlight::begin(Arc::clone(&self.activity));
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(in_flight);
            answer
        })
    }
}
