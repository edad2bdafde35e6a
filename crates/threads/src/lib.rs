//! Threads that the system may refuse.
//!
//! tokio panics where it gets none: when a runtime of several threads starts, and when a blocking call
//! needs its first. So the threads of a runtime are started once before it takes them, and what blocks has
//! a thread from here, where a refusal is an error.

use std::error::Error;
use std::fs;
use std::io;
use std::iter;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// The system refuses a thread, or a descriptor that it needs.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the system refuses a thread")]
pub struct ThreadError(#[source] Arc<io::Error>);

impl From<io::Error> for ThreadError {
    fn from(error: io::Error) -> Self {
        Self(Arc::new(error))
    }
}

/// Returns the refusal that an error comes from, however far below: clients pass on what a look-up says.
pub fn refusal(error: &(dyn Error + 'static)) -> Option<ThreadError> {
    iter::successors(Some(error), |&cause| cause.source()).find_map(|cause| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref());
        cause.downcast_ref().or(inner).cloned()
    })
}

/// Starts a thread.
pub fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, ThreadError> {
    Ok(thread::Builder::new().spawn(work)?)
}

/// Starts a runtime with so many threads, or none with fewer.
///
/// Another process of the user may still take the last thread between the question and the start.
pub fn start_runtime(workers: usize) -> Result<Runtime, ThreadError> {
    ask_for(workers)?;
    Ok(Builder::new_multi_thread().worker_threads(workers).enable_all().build()?)
}

/// Returns the addresses of a host, each with that port. They are found in a thread of their own, which
/// may go on when the future is dropped: a resolver cannot be interrupted.
pub async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let host = host.to_owned();
    let (found, answer) = oneshot::channel();
    // Dropped futures need no answer.
    let resolve = move || drop(found.send((host.as_str(), port).to_socket_addrs()));
    spawn(resolve).map_err(io::Error::other)?;
    Ok(answer.await.map_err(io::Error::other)??.collect())
}

/// Looks up the hosts of a client without a thread of the runtime.
#[derive(Debug)]
pub struct HostResolver;

impl Resolve for HostResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is the client's business.
            let found = look_up(name.as_str(), 0).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Fails if the system does not give so many threads at the same time. Afterwards it has them again.
fn ask_for(count: usize) -> io::Result<()> {
    let before = running();
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = || drop(gate.lock());
        let started =
            (0..count).try_for_each(|_| thread::Builder::new().spawn_scoped(scope, wait).map(drop));
        drop(closed);
        started
    })?;
    // A thread that has been joined counts for a moment longer.
    for _ in 0..ENDING_MS_MAX {
        if running() <= before {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// How long threads that have ended are waited for; longer only if others start meanwhile.
const ENDING_MS_MAX: u32 = 100;

/// How many threads the process has; none where the system does not show them.
fn running() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_runtime_has_its_threads() {
        let runtime = start_runtime(3).unwrap();
        assert_eq!(runtime.metrics().num_workers(), 3);
        assert_eq!(runtime.block_on(async { tokio::spawn(async { 7 }).await.unwrap() }), 7);
    }

    #[test]
    fn a_host_is_looked_up_without_a_thread_of_the_runtime() {
        let started = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&started);
        let mut builder = Builder::new_current_thread();
        let runtime = builder.on_thread_start(move || flag.store(true, Ordering::Relaxed));
        let runtime = runtime.build().unwrap();
        let found = runtime.block_on(look_up("127.0.0.1", 80)).unwrap();
        assert_eq!(found, [([127, 0, 0, 1], 80).into()]);
        assert!(runtime.block_on(look_up("no host", 80)).is_err());
        assert!(!started.load(Ordering::Relaxed));
    }

    #[test]
    fn a_refusal_is_found_below_other_errors() {
        let refused = || ThreadError::from(io::Error::from(io::ErrorKind::WouldBlock));
        assert!(refusal(&refused()).is_some());
        assert!(refusal(&io::Error::other(refused())).is_some());
        assert!(refusal(&io::Error::from(io::ErrorKind::WouldBlock)).is_none());
    }
}
