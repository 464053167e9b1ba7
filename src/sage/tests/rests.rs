//! Who goes when a sage has rested, for how long it does, and what ends that.

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

#[tokio::test]
async fn what_a_clock_that_was_ahead_planned_does_not_wait_for_that_date() {
    let bench = punctual();
    bench.sink.answer("s", Answer::Refuses(503));
    bench.clock.set(second(365 * 86_400));
    bench.tell("s", &["a", "b"]).await;
    failed(&bench, 2).await;
    bench.clock.set(second(0));
    bench.sink.answer("s", Answer::Takes);
    bench.pass(2 * HOUR, MINUTE).await;
    assert_eq!(bench.sink.result("s", "delivered"), 2);
}

#[tokio::test]
async fn nor_does_it_after_a_restart() {
    let bench = punctual();
    bench.sink.answer("s", Answer::Refuses(503));
    bench.clock.set(second(365 * 86_400));
    bench.tell("s", &["a", "b"]).await;
    failed(&bench, 2).await;
    let (clock, store, _) = bench.end().await;
    assert_eq!(store.outbox(0, 10).await.unwrap()[1].attempts, 1);
    clock.set(second(0));
    let bench = Bench::on(clock, store, courier::Limits::default());
    bench.book.replace(sages(&[sage("s", |_| {})]));
    bench.pass(2 * HOUR, MINUTE).await;
    assert_eq!(bench.sink.result("s", "delivered"), 2);
}

#[tokio::test]
async fn a_clock_set_back_shortens_no_pause_that_a_sage_asked_for() {
    let bench = punctual();
    bench.sink.answer("s", Answer::Asks(6 * HOUR));
    bench.tell("s", &["a"]).await;
    failed(&bench, 1).await;
    bench.sink.answer("s", Answer::Takes);
    bench.clock.set(second(-86_400));
    bench.pass(6 * HOUR - MINUTE, MINUTE).await;
    assert_eq!(bench.sink.jobs("s").len(), 1);
    bench.pass(2 * MINUTE, MINUTE).await;
    assert_eq!(bench.sink.result("s", "delivered"), 1);
}

#[tokio::test]
async fn a_store_that_fails_is_asked_again_soon_also_when_the_clock_is_set_back() {
    let (shelf, bench) = shelved(Gives::NothingNow);
    bench.tell("s", &["a"]).await;
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
    assert_eq!(asked(&shelf), 1);
    *shelf.gives.lock().unwrap() = Gives::All;
    bench.clock.set(second(-86_400));
    bench.pass(MINUTE, Duration::from_secs(1)).await;
    assert_eq!(bench.sink.result("s", "delivered"), 1);
}

/// A bench on which two letters are refused by an address that is mended before it answers.
async fn mended_meanwhile(status: u16) -> Bench {
    let bench = Bench::new(&["s"]);
    bench.sink.answer("s", Answer::RefusesLate(status));
    bench.tell("s", &["a", "b", "c"]).await;
    let sink = &bench.sink;
    sink.until("two are under way", |sink| {
        (sink.jobs("s").len() == 2).then_some(())
    })
    .await;
    sink.answer("s", Answer::Takes);
    bench.book.replace(sages(&[sage("s", |it| it.after = 2)]));
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    sink.late.notify_one();
    sink.late.notify_one();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    bench
}

#[tokio::test]
async fn a_late_answer_of_the_old_address_says_nothing_of_the_new_one() {
    for status in [410, 503] {
        let bench = mended_meanwhile(status).await;
        // The clock stands still: nobody waits, and nothing is dropped.
        let sink = &bench.sink;
        sink.until("all three", |sink| {
            (sink.result("s", "delivered") == 3).then_some(())
        })
        .await;
        assert_eq!(sink.result("s", "gone"), 0);
        let mut jobs = sink.jobs("s");
        jobs.sort();
        assert_eq!(jobs, ["a", "a", "b", "b", "c"]);
    }
}

#[tokio::test]
async fn a_sage_that_asks_to_be_left_alone_is_spared_other_letters_too() {
    let bench = punctual();
    bench.sink.answer("s", Answer::Asks(10 * MINUTE));
    bench.tell("s", &["a"]).await;
    failed(&bench, 1).await;
    bench.sink.answer("s", Answer::Takes);
    bench.tell("s", &["b"]).await;
    bench.pass(9 * MINUTE, MINUTE).await;
    assert_eq!(bench.sink.jobs("s"), ["a"]);
    bench.pass(2 * MINUTE, MINUTE).await;
    assert_eq!(bench.sink.result("s", "delivered"), 2);
}

#[tokio::test]
async fn what_is_told_of_a_renamed_job_comes_after_what_was_told_under_its_old_name() {
    let bench = punctual();
    bench.sink.answer("s", Answer::Refuses(503));
    bench.tell("s", &["old"]).await;
    failed(&bench, 1).await;
    let job = |text: &str| JobName::new(text).unwrap();
    let moves = [(job("old"), job("new"))];
    let write = Write::Rename {
        moves: moves.to_vec(),
        files: Vec::new(),
    };
    bench.store.commit(vec![write]).await.unwrap();
    bench.herald.observe(&Event::JobsRenamed { moves: &moves });
    bench.sink.answer("s", Answer::Takes);
    bench.tell("s", &["new"]).await;
    bench.pass(HOUR, MINUTE).await;
    assert_eq!(bench.sink.jobs("s"), ["old", "old", "new"]);
}
