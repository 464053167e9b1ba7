//! Who goes when a sage has rested, and for how long it does.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// Waits until a sage has failed so many times.
async fn failed(bench: &Bench, times: u64) {
    let sink = &bench.sink;
    sink.until("that many failures", |sink| {
        (sink.result("s", "failed") >= times).then_some(())
    })
    .await;
}

/// A bench with one sage whose waits are the plain ones.
fn punctual() -> Bench {
    let bench = Bench::new(&[]);
    let punctual = |it: &mut Sage| Arc::make_mut(&mut it.policy).retry.jitter_permille = 0;
    bench.book.replace(sages(&[sage("s", punctual)]));
    bench
}

#[tokio::test]
async fn a_letter_that_is_refused_for_its_own_sake_holds_up_no_other_job() {
    let bench = punctual();
    bench.sink.answer("s", Answer::Refuses(503));
    bench.tell("s", &["a", "c"]).await;
    failed(&bench, 2).await;
    bench.sink.refused.lock().unwrap().push("a".to_owned());
    bench.sink.answer("s", Answer::Takes);
    bench.pass(2 * HOUR, MINUTE).await;
    let sink = &bench.sink;
    assert_eq!(sink.result("s", "delivered"), 1, "{:?}", sink.jobs("s"));
    // What comes later of others is not held up either, and the bad one goes on being tried.
    bench.tell("s", &["d", "e"]).await;
    bench.pass(2 * HOUR, MINUTE).await;
    assert_eq!(sink.result("s", "delivered"), 3, "{:?}", sink.jobs("s"));
    assert_eq!(sink.jobs("s").last().map(String::as_str), Some("a"));
}
