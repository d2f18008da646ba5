//! Numbers of several rounds, and what is told of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

/// All numbers so far, by name; one per round.
#[derive(Default)]
pub(crate) struct Results {
    rounds: BTreeMap<String, Vec<f64>>,
    targets: Vec<Target>,
}

struct Target {
    what: &'static str,
    value: f64,
    wanted: String,
    met: bool,
}

impl Results {
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64) {
        self.rounds.entry(name.into()).or_default().push(value);
    }

    /// The median and the 99th percentile of how long something took, in milliseconds.
    pub(crate) fn add_times(&mut self, name: &str, times: Vec<Duration>) {
        self.add_times_to(name, 99, times);
    }

    /// The median and another percentile, in milliseconds.
    pub(crate) fn add_times_to(&mut self, name: &str, percentile: usize, mut times: Vec<Duration>) {
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1000.0;
        self.add(format!("{name}, p50 ms"), at(50));
        self.add(format!("{name}, p{percentile} ms"), at(percentile));
    }

    /// The median over the rounds.
    pub(crate) fn median(&self, name: &str) -> Option<f64> {
        let mut values = self.rounds.get(name)?.clone();
        values.sort_by(f64::total_cmp);
        Some(values[values.len() / 2])
    }

    pub(crate) fn at_least(&mut self, what: &'static str, value: Option<f64>, wanted: f64, aim: Option<f64>) {
        let aim = aim.map(|aim| format!(", aim {aim}")).unwrap_or_default();
        self.target(what, value, format!("≥ {wanted}{aim}"), |value| value >= wanted);
    }

    pub(crate) fn at_most(&mut self, what: &'static str, value: Option<f64>, wanted: f64) {
        self.target(what, value, format!("≤ {wanted}"), |value| value <= wanted);
    }

    fn target(&mut self, what: &'static str, value: Option<f64>, wanted: String, met: impl Fn(f64) -> bool) {
        if let Some(value) = value {
            self.targets.push(Target {
                what,
                value,
                wanted,
                met: met(value),
            });
        }
    }

    pub(crate) fn all_met(&self) -> bool {
        self.targets.iter().all(|target| target.met)
    }

    pub(crate) fn table(&self) -> String {
        let mut table = format!("\n{:<62}{:>11}{:>11}{:>11}\n", "", "median", "least", "most");
        for (name, values) in &self.rounds {
            let (least, most) = spread(values);
            let median = self.median(name).unwrap_or_default();
            writeln!(
                table,
                "{name:<62}{:>11}{:>11}{:>11}",
                short(median),
                short(least),
                short(most)
            )
            .unwrap();
        }
        table.push('\n');
        for Target {
            what,
            value,
            wanted,
            met,
        } in &self.targets
        {
            let met = if *met { "met" } else { "NOT MET" };
            writeln!(table, "{what:<62}{:>11}   want {wanted:<14} {met}", short(*value)).unwrap();
        }
        table
    }

    pub(crate) fn json(&self) -> Value {
        let measured = |(name, values): (&String, &Vec<f64>)| {
            let (least, most) = spread(values);
            let told = json!({ "median": self.median(name), "least": least, "most": most, "rounds": values });
            (name.clone(), told)
        };
        let target = |it: &Target| json!({ "what": it.what, "value": it.value, "wanted": it.wanted, "met": it.met });
        json!({
            "measured": self.rounds.iter().map(measured).collect::<serde_json::Map<_, _>>(),
            "targets": self.targets.iter().map(target).collect::<Vec<_>>(),
        })
    }
}

fn spread(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (least, most)
}

fn short(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}
