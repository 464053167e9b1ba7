//! Tables for people, JSON for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::checker::{Kind, Report as Checked};

/// All rows.
#[derive(Default)]
pub struct Report {
    rows: Vec<Value>,
}

/// The lateness below which `part` of all lie, in milliseconds.
pub fn quantile(late: &[i64], part: f64) -> f64 {
    if late.is_empty() {
        return f64::NAN;
    }
    let index = ((late.len() - 1) as f64 * part).round() as usize;
    late[index] as f64 / 1e6
}

impl Report {
    /// A storm: elder beside the bare loop, one pair a round.
    pub fn storm(&mut self, name: &str, n: usize, rounds: &[(Checked, Checked)], bound: f64) {
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let of =
            |pick: &dyn Fn(&(Checked, Checked)) -> f64| median(rounds.iter().map(pick).collect());
        let elder = (
            of(&|r| quantile(&r.0.late, 0.5)),
            of(&|r| quantile(&r.0.late, 0.99)),
        );
        let bare = (
            of(&|r| quantile(&r.1.late, 0.5)),
            of(&|r| quantile(&r.1.late, 0.99)),
        );
        let ratio = of(&|r| quantile(&r.0.late, 0.99) / quantile(&r.1.late, 0.99));
        let all = |kind| -> usize { rounds.iter().map(|r| r.0.count(kind)).sum() };
        let (lost, doubled, early) = (all(Kind::Lost), all(Kind::Doubled), all(Kind::Early));
        let (first, most) = (
            of(&|r| quantile(&r.0.late, 0.0)),
            of(&|r| quantile(&r.0.late, 1.0)),
        );
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

    /// A line of a table that is no comparison with a figure to reach.
    pub fn line(&mut self, text: &str, row: Value) {
        println!("{text}");
        self.rows.push(row);
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
