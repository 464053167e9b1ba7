//! From the start of a process to its end: output, timeout, stop, the last bytes.

use std::cell::RefCell;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::time::timeout;

use super::super::cut::{Cut, Cutter};
use super::super::output::Collector;
use super::group::Group;
use super::kin::Kin;
use super::leader::Leader;
use super::start::Started;

/// How long the output is still read after the process itself ended.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long a killed process may take to be gone, and its output to be closed after that.
const BURIAL: Duration = Duration::from_millis(400);
/// How many bytes are read at once.
const CHUNK: usize = 64 * 1024;

/// How a process came to its end.
pub(super) struct Ending {
    /// `None` when it could not be had.
    pub(super) status: Option<ExitStatus>,
    /// What cut it off, if anything did.
    pub(super) cut: Option<Cut>,
    /// How much processor time it had used, where that is limited and it ended by itself.
    pub(super) spent: Option<Duration>,
    /// How far the cutting had to go.
    force: Force,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Force {
    None,
    Terminated,
    Killed,
}

impl Ending {
    /// How a process that was cut off ended, as the end of a sentence.
    pub(super) fn how(&self) -> &'static str {
        match (self.status, self.force) {
            (None, _) => "could not even be killed: it hangs in the kernel",
            (_, Force::Killed) => "was killed (SIGKILL)",
            (_, Force::None | Force::Terminated) => "ended on SIGTERM",
        }
    }
}

/// Sees the process to its end. `cut` is what came while it was being started.
pub(super) async fn supervise(
    started: &mut Started,
    kin: &Kin,
    stdin: Option<Arc<str>>,
    collector: &mut Collector,
    cutter: &mut Cutter,
    grace: Duration,
    cut: Option<Cut>,
) -> Ending {
    let Started {
        child,
        group,
        stdin: fed,
        output,
        limits,
        ..
    } = started;
    let feeding = feed(fed.take(), stdin);
    let reading = read(output.take(), collector);
    let mut flow = Flow {
        streams: Box::pin(async move {
            tokio::join!(feeding, reading);
        }),
        ended: false,
    };
    let mut ending = Ending {
        status: None,
        cut,
        spent: None,
        force: Force::None,
    };
    if ending.cut.is_none() {
        let spent = &mut ending.spent;
        let end = async {
            if limits.cpu_time.is_some() {
                *spent = child.spent().await;
            }
            child.wait().await
        };
        let wait = async {
            tokio::select! {
                biased;
                status = end => (status.ok(), None),
                cut = cutter.next() => (None, Some(cut)),
            }
        };
        (ending.status, ending.cut) = flow.meanwhile(wait).await;
    }
    match ending.cut {
        None => {
            // What it left in the background goes on; only its output is not waited for.
            group.let_go();
            flow.rest(LAST_WORDS).await;
        }
        Some(cut) => {
            let all = All { child, group, kin };
            cut_off(all, cutter, grace, cut, &mut flow, &mut ending).await;
            flow.rest(BURIAL).await;
        }
    }
    ending
}

/// Everything of a run: its process, that one's group, and what left the group.
struct All<'a> {
    child: &'a mut Leader,
    group: &'a mut Group,
    kin: &'a Kin,
}

async fn cut_off<F: Future<Output = ()>>(
    All { child, group, kin }: All<'_>,
    cutter: &mut Cutter,
    grace: Duration,
    cut: Cut,
    flow: &mut Flow<F>,
    ending: &mut Ending,
) {
    ending.force = Force::Killed;
    if cut != Cut::StoppedNow {
        group.terminate();
        let all_gone = async {
            kin.terminate_outside(group.number()).await;
            ending.status = child.wait().await.ok();
            group.gone().await;
            // Its number may be another group's from here on.
            group.let_go();
            kin.gone().await;
        };
        let wait = async {
            tokio::select! {
                biased;
                () = all_gone => Force::Terminated,
                () = tokio::time::sleep(grace) => Force::Killed,
                () = cutter.no_more_grace() => Force::Killed,
            }
        };
        ending.force = flow.meanwhile(wait).await;
    }
    if ending.force == Force::Killed {
        group.kill();
        let status = &mut ending.status;
        let burial = async {
            if status.is_none() {
                let reaped = timeout(BURIAL, child.wait()).await;
                *status = reaped.ok().and_then(Result::ok);
            }
        };
        let killing = timeout(BURIAL, kin.kill());
        // Whatever is left after that hangs in the kernel.
        let _ = flow
            .meanwhile(async { tokio::join!(burial, killing) })
            .await
            .1;
    }
    group.let_go();
}

/// The streams of a process, which go on flowing whatever else is waited for.
struct Flow<F> {
    streams: Pin<Box<F>>,
    ended: bool,
}

impl<F: Future<Output = ()>> Flow<F> {
    async fn meanwhile<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        tokio::pin!(wanted);
        loop {
            tokio::select! {
                biased;
                done = &mut wanted => return done,
                () = &mut self.streams, if !self.ended => self.ended = true,
            }
        }
    }

    /// Lets them end, for so long.
    async fn rest(&mut self, most: Duration) {
        if !self.ended {
            self.ended = timeout(most, &mut self.streams).await.is_ok();
        }
    }
}

/// Gives the process its text. One that does not want it all is none the worse for it.
async fn feed(stdin: Option<pipe::Sender>, text: Option<Arc<str>>) {
    if let (Some(mut stdin), Some(text)) = (stdin, text) {
        let _ = stdin.write_all(text.as_bytes()).await;
    }
}

thread_local! {
    /// One buffer a thread instead of one a process: nothing waits while it is in use.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// Reads until every holder of the other end has closed it.
async fn read(output: Option<pipe::Receiver>, collector: &mut Collector) {
    let Some(output) = output else { return };
    while output.readable().await.is_ok() {
        let more = BUFFER.with_borrow_mut(|buffer| match output.try_read(buffer) {
            Ok(0) => false,
            Ok(length) => {
                collector.push(&buffer[..length]);
                true
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        });
        if !more {
            return;
        }
        // A process that writes without end must not keep others from their turn.
        tokio::task::consume_budget().await;
    }
}
