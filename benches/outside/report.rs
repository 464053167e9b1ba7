//! Tables for people, JSON for programs.

use std::time::Duration;

use serde_json::{Value, json};

/// All rows.
#[derive(Default)]
pub struct Report {
    rows: Vec<Value>,
}

/// How late the parts of one storm were.
#[derive(Clone, Debug, Default)]
pub struct Lateness {
    /// In nanoseconds after the instant, sorted.
    pub late: Vec<i64>,
    /// Actions that never came.
    pub lost: usize,
    /// Actions that came more than once.
    pub doubled: usize,
}

impl Lateness {
    /// From when each action came: `None` never, and how often.
    pub fn of(instant: i64, came: &[Vec<i64>]) -> Self {
        let mut late: Vec<_> = came
            .iter()
            .filter_map(|times| times.first())
            .map(|at| at - instant)
            .collect();
        late.sort_unstable();
        Self {
            late,
            lost: came.iter().filter(|times| times.is_empty()).count(),
            doubled: came.iter().filter(|times| times.len() > 1).count(),
        }
    }

    /// The value below which `part` of all lie, in milliseconds.
    pub fn quantile(&self, part: f64) -> f64 {
        if self.late.is_empty() {
            return f64::NAN;
        }
        let index = ((self.late.len() - 1) as f64 * part).round() as usize;
        self.late[index] as f64 / 1e6
    }

    fn early(&self) -> usize {
        self.late.iter().filter(|late| **late < 0).count()
    }
}

impl Report {
    /// A storm: elder beside the bare loop, one pair a round.
    pub fn storm(&mut self, name: &str, n: usize, rounds: &[(Lateness, Lateness)], bound: f64) {
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let of =
            |pick: &dyn Fn(&(Lateness, Lateness)) -> f64| median(rounds.iter().map(pick).collect());
        let elder = (of(&|r| r.0.quantile(0.5)), of(&|r| r.0.quantile(0.99)));
        let bare = (of(&|r| r.1.quantile(0.5)), of(&|r| r.1.quantile(0.99)));
        let ratio = of(&|r| r.0.quantile(0.99) / r.1.quantile(0.99));
        let lost: usize = rounds.iter().map(|r| r.0.lost).sum();
        let doubled: usize = rounds.iter().map(|r| r.0.doubled).sum();
        let early: usize = rounds.iter().map(|r| r.0.early()).sum();
        let (first, most) = (of(&|r| r.0.quantile(0.0)), of(&|r| r.0.quantile(1.0)));
        println!(
            "{name:<6} {n:>6}  elder first {first:>7.2} ms  p50 {:>9.2} ms  p99 {:>9.2} ms  max {most:>9.2} ms | bare loop p50 {:>9.2} ms  p99 {:>9.2} ms | p99 ratio {ratio:>5.2} (to reach {bound}) | lost {lost} doubled {doubled} early {early} in {} rounds",
            elder.0,
            elder.1,
            bare.0,
            bare.1,
            rounds.len(),
        );
        self.rows.push(json!({
            "part": "storm", "action": name, "jobs": n, "rounds": rounds.len(),
            "elder_p50_ms": elder.0, "elder_p99_ms": elder.1, "elder_first_ms": first, "elder_max_ms": most,
            "bare_p50_ms": bare.0, "bare_p99_ms": bare.1,
            "p99_ratio": ratio, "p99_ratio_to_reach": bound,
            "lost": lost, "doubled": doubled, "early": early,
        }));
    }

    /// One figure beside the one to reach.
    pub fn figure(&mut self, name: &str, value: f64, unit: &str, to_reach: f64) {
        let verdict = if value <= to_reach {
            "reached"
        } else {
            "NOT reached"
        };
        println!("{name:<52} {value:>10.2} {unit:<4} (to reach {to_reach} {unit}: {verdict})");
        self.rows.push(json!({
            "part": "figure", "name": name, "value": value, "unit": unit,
            "to_reach": to_reach, "reached": value <= to_reach,
        }));
    }

    /// Writes the JSON where `cargo bench` keeps its figures.
    pub fn finish(self) {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-outside.json");
        let text = serde_json::to_string_pretty(&self.rows).expect("rows are plain");
        std::fs::write(&path, text).expect("target can be written");
        println!("figures: target/bench-outside.json");
    }
}

/// A length in milliseconds.
pub fn millis(length: Duration) -> f64 {
    length.as_secs_f64() * 1e3
}
