//! Names that lead where no request may go, and lookups that are slow or change their mind.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::egress::CheckedResolver;
use super::*;

/// Every name leads to `answers`, the next at each lookup, the last again and again.
fn runner_of(rules: &str, look_up: fn(&str) -> io::Result<Vec<SocketAddr>>) -> LocalRunner {
    let rules = rules.split_whitespace().map(|rule| rule.parse().unwrap());
    let resolver = CheckedResolver::with(Egress::new(rules.collect()), look_up);
    runner_with(&[], Client::with(resolver).unwrap())
}

async fn run_by(runner: &LocalRunner, job: TestJob) -> AttemptEnd {
    let (attempt, _stop) = job.attempt();
    let end = tokio::time::timeout(LONG, runner.attempt(attempt)).await;
    end.expect("the attempt did not end")
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), 0);
    texts.iter().map(address).collect()
}

fn by_name(host: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(addresses(match host {
        "here.example" => &["127.0.0.1"],
        "meta.example" => &["169.254.169.254"],
        "mixed.example" => &["127.0.0.1", "169.254.169.254"],
        "private.example" => &["10.1.2.3"],
        "mapped.example" => &["::ffff:169.254.169.254"],
        _ => return Err(io::Error::other("no such name")),
    }))
}

#[tokio::test]
async fn what_counts_is_the_address_that_a_name_leads_to() {
    let server = Server::new(|path| match path {
        "/to-meta" => redirect(302, "http://meta.example/"),
        "/to-private" => redirect(307, "http://private.example/"),
        "/to-number" => redirect(308, "http://0x0a.1.2.3/"),
        _ => ok("arrived"),
    })
    .await;
    let port = server.address.port();
    for (rules, address, said) in [
        ("", format!("http://here.example:{port}/"), Ok("arrived")),
        (
            "",
            "http://meta.example/".into(),
            Err(
                "meta.example is 169.254.169.254, clouds hand out a machine's credentials there: jobs may not go there unless elder runs with --egress allow:metadata",
            ),
        ),
        ("", "http://mapped.example/".into(), Err("credentials")),
        (
            "",
            format!("http://mixed.example:{port}/"),
            Err("mixed.example is 169.254.169.254"),
        ),
        (
            "",
            format!("http://here.example:{port}/to-meta"),
            Err("meta.example is 169.254.169.254"),
        ),
        (
            "deny:private",
            "http://private.example/".into(),
            Err(
                "private.example is 10.1.2.3, jobs may not go there, because elder runs with --egress deny:private",
            ),
        ),
        (
            "deny:10.0.0.0/8",
            format!("http://here.example:{port}/to-private"),
            Err("--egress deny:10.0.0.0/8"),
        ),
        (
            "deny:10.0.0.0/8",
            format!("http://here.example:{port}/to-number"),
            Err(
                "10.1.2.3: jobs may not go there, because elder runs with --egress deny:10.0.0.0/8",
            ),
        ),
        (
            "deny:loopback",
            format!("http://127.0.0.1:{port}/"),
            Err("127.0.0.1: jobs may not go there"),
        ),
        (
            "deny:loopback",
            format!("http://127.1:{port}/"),
            Err("127.0.0.1: jobs may not go there"),
        ),
        (
            "allow-host:here.example deny:all",
            format!("http://here.example:{port}/"),
            Ok("arrived"),
        ),
        (
            "allow-host:here.example deny:all",
            format!("http://127.0.0.1:{port}/"),
            Err("--egress deny:all"),
        ),
        (
            "deny-host:*.example",
            format!("http://here.example:{port}/"),
            Err("--egress deny-host:*.example"),
        ),
    ] {
        let before = server.requests().len();
        let runner = runner_of(rules, by_name);
        let end = run_by(&runner, request(following(&address, "GET"))).await;
        match said {
            Ok(body) => assert_eq!(
                (end.ended, text(&end).as_str()),
                (Ended::Success, body),
                "{rules} {address}: {}",
                detail(&end)
            ),
            Err(said) => {
                assert_eq!(
                    end.ended,
                    Ended::Failed(Reason::Setup),
                    "{rules} {address}: {}",
                    detail(&end)
                );
                assert!(
                    detail(&end).contains(said),
                    "{rules} {address}: {}",
                    detail(&end)
                );
                let redirects = usize::from(address.contains("/to-"));
                assert_eq!(
                    server.requests().len(),
                    before + redirects,
                    "{rules} {address}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_checked_at_each_connection() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let server = Server::new(|_| ok("arrived")).await;
    let runner = runner_of("", |_| {
        Ok(addresses(match ASKED.fetch_add(1, Ordering::Relaxed) {
            0 => &["127.0.0.1"],
            _ => &["169.254.169.254"],
        }))
    });
    let address = format!("http://rebound.example:{}/", server.address.port());
    let first = run_by(&runner, request(get(&address))).await;
    assert_eq!(first.ended, Ended::Success, "{}", detail(&first));
    // The server closes after each answer, so the next request needs a connection of its own.
    let second = run_by(&runner, request(get(&address))).await;
    assert_eq!(
        second.ended,
        Ended::Failed(Reason::Setup),
        "{}",
        detail(&second)
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_slow_lookup_ends_with_the_timeout_and_an_unknown_name_is_told() {
    let runner = runner_of("", |_| {
        std::thread::sleep(Duration::from_secs(2));
        Ok(Vec::new())
    });
    let job = request(get("http://slow.example/")).timeout(Duration::from_millis(200));
    let end = run_by(&runner, job).await;
    assert_eq!(end.ended, Ended::TimedOut, "{}", detail(&end));
    assert!(
        detail(&end).contains("no answer within 200ms"),
        "{}",
        detail(&end)
    );
    let runner = runner_of("", by_name);
    let end = run_by(&runner, request(get("http://nobody.example/"))).await;
    assert_eq!(end.ended, Ended::Failed(Reason::Connect));
    assert!(detail(&end).contains("no such name"), "{}", detail(&end));
}
