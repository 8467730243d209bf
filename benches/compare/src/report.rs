//! What is printed and written.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use crate::Outcome;
use crate::chart;
use crate::machine;
use crate::run::Sample;
use crate::system::System;
use crate::work::{Fill, Kind, Work};

/// All tables of a run.
pub struct Report {
    head: String,
    tables: Vec<Table>,
}

/// What the systems reached at one work.
pub struct Table {
    pub title: String,
    round_trip: bool,
    pub rows: Vec<Row>,
    /// Systems without a row, and why.
    left_out: Vec<String>,
}

/// One system.
pub struct Row {
    pub name: String,
    pub waiting: &'static str,
    system: usize,
    samples: Vec<Sample>,
}

impl Report {
    pub fn new(turns: usize, round: Duration, quick: bool) -> Self {
        let mut head = format!(
            "machipc beside its peers: {}, load {} before the run.\n\
             Medians of {turns} turns of about {round:?}, in brackets the least and the greatest; \u{d7} says how many times machipc's \
             first row.\n\
             CPU: seconds of processor time of all processes for a million messages.",
            machine::describe(),
            machine::load(),
        );
        if quick {
            head.push_str(
                "\nA quick run: it shows that everything works, and its figures are nothing to go by.",
            );
        }
        Self { head, tables: Vec::new() }
    }

    pub fn print_head(&self) {
        println!("{}", self.head);
    }

    /// Prints a table and keeps it.
    pub fn add(&mut self, table: Table) {
        println!("\n{}", table.text());
        self.tables.push(table);
    }

    /// Writes all that was printed, and a chart.
    pub fn write(&self, path: &Path, took: Duration) -> Outcome {
        let foot = format!("All in {:.0} s; load {} after the run.", took.as_secs_f64(), machine::load());
        println!("\n{foot}");
        let tables: Vec<String> = self.tables.iter().map(Table::text).collect();
        let text = [std::slice::from_ref(&self.head), &tables, &[foot]].concat().join("\n\n");
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
        let html = format!(
            "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>machipc beside its peers</title>\n{}\n<pre>\n{escaped}\n</pre>\n",
            chart::draw(&self.tables)?
        );
        let folder = path.parent().unwrap_or(path);
        std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, html)).map_err(|error| {
            format!("the report {}: {error}; choose another with --report", path.display())
        })?;
        println!("written with a chart to {}", path.display());
        Ok(())
    }
}

impl Table {
    /// An empty table, with a row for each system that does the work and is wanted.
    pub fn new(work: &Work, systems: &[Box<dyn System>], wanted: impl Fn(&str) -> bool) -> Self {
        let mut table = Self::titled(work.to_string());
        table.round_trip = work.kind == Kind::RoundTrip;
        if work.fill == Fill::InPlace {
            table.title.push_str(" (only its ends are written)");
        }
        for (index, system) in systems.iter().enumerate().filter(|(_, system)| wanted(system.name())) {
            let name = format!("{} ({})", system.name(), system.waiting().words());
            let unable = work.fill == Fill::Batched && !system.batches();
            match unable.then_some("it publishes each message by itself").or_else(|| system.lacks(work)) {
                Some(why) => table.left_out.push(format!("{name}: {why}")),
                None => table.rows.push(Row {
                    name: system.name().to_owned(),
                    waiting: system.waiting().words(),
                    system: index,
                    samples: Vec::new(),
                }),
            }
        }
        table
    }

    /// An empty table without rows.
    pub fn titled(title: String) -> Self {
        Self { title, round_trip: false, rows: Vec::new(), left_out: Vec::new() }
    }

    /// Adds a row whose system has this number.
    pub fn push(&mut self, name: &str, waiting: &'static str, system: usize) {
        self.rows.push(Row { name: name.to_owned(), waiting, system, samples: Vec::new() });
    }

    /// Each system takes a turn, each time beginning with another. One that fails loses its row.
    pub fn take_turn(&mut self, turn: usize, mut run: impl FnMut(usize) -> Outcome<Sample>) {
        let count = self.rows.len();
        let mut failed = Vec::new();
        for index in (0..count).map(|index| (index + turn) % count) {
            let row = &mut self.rows[index];
            match run(row.system) {
                Ok(sample) => row.samples.push(sample),
                Err(error) => {
                    let words = format!("{} ({}): failed: {error}", row.name, row.waiting);
                    eprintln!("{}: {words}", self.title);
                    self.left_out.push(words);
                    failed.push(row.system);
                }
            }
        }
        self.rows.retain(|row| !failed.contains(&row.system));
    }

    /// The table in words, for people and for Markdown.
    fn text(&self) -> String {
        let head: &[&str] = if self.round_trip {
            &["system", "waits", "p50", "p99", "p99.9", "\u{d7} (p50)", "CPU s/M"]
        } else {
            &["system", "waits", "a message", "", "\u{d7}", "CPU s/M"]
        };
        let ours = self.rows.first().filter(|row| row.name.starts_with("machipc")).map(Row::measure);
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| self.cells(row, ours)).collect();
        let mut text = format!("### {}\n\n", self.title);
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([head[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let mut line = |cells: &mut dyn Iterator<Item = &str>| {
            for (column, (cell, width)) in cells.zip(&widths).enumerate() {
                // Words to the left, numbers to the right.
                let _ = if column < 2 {
                    write!(text, "| {cell:<width$} ")
                } else {
                    write!(text, "| {cell:>width$} ")
                };
            }
            text.push_str("|\n");
        };
        line(&mut head.iter().copied());
        let rules: Vec<String> = widths
            .iter()
            .enumerate()
            .map(|(column, &width)| {
                format!("{}{}", "-".repeat(width - 1), if column < 2 { "-" } else { ":" })
            })
            .collect();
        line(&mut rules.iter().map(String::as_str));
        rows.iter().for_each(|row| line(&mut row.iter().map(String::as_str)));
        if !self.left_out.is_empty() {
            let _ = write!(text, "\nWithout a row: {}.", self.left_out.join("; "));
        }
        text.trim_end().to_owned()
    }

    fn cells(&self, row: &Row, ours: Option<f64>) -> Vec<String> {
        let mut cells = vec![row.name.clone(), row.waiting.to_owned()];
        if self.round_trip {
            cells.extend((0..3).map(|index| time(row.quantile(index))));
        } else {
            cells.push(time(row.measure()));
            let times = row.samples.iter().map(|sample| sample.time);
            let (least, most) =
                times.fold((f64::MAX, 0.0), |(least, most), time| (time.min(least), time.max(most)));
            cells.push(format!("({}..{})", time(least), time(most)));
        }
        cells.push(ours.map_or(String::new(), |ours| ratio(row.measure() / ours)));
        let processor: Vec<f64> = row.samples.iter().filter_map(|sample| sample.processor).collect();
        cells.push(median(processor).map_or(String::new(), |each| format!("{:.3}", each / 1000.0)));
        cells
    }
}

impl Row {
    /// What the row is judged by, in nanoseconds: the median time of a message, or the half of the round trips.
    pub fn measure(&self) -> f64 {
        let round_trip = self.samples.iter().any(|sample| sample.quantiles.is_some());
        if round_trip {
            self.quantile(0)
        } else {
            median(self.samples.iter().map(|sample| sample.time).collect()).unwrap_or(f64::NAN)
        }
    }

    fn quantile(&self, index: usize) -> f64 {
        let quantiles = self.samples.iter().filter_map(|sample| sample.quantiles);
        median(quantiles.map(|quantiles| quantiles[index] as f64).collect()).unwrap_or(f64::NAN)
    }
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    Some(match numbers.len() {
        0 => return None,
        len if len % 2 == 1 => numbers[middle],
        _ => (numbers[middle - 1] + numbers[middle]) / 2.0,
    })
}

/// Nanoseconds, for people.
pub fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 99.95 => format!("{n:.1} ns"),
        n if n < 999.5 => format!("{n:.0} ns"),
        n if n < 9_995.0 => format!("{:.2} \u{b5}s", n / 1e3),
        n if n < 99_950.0 => format!("{:.1} \u{b5}s", n / 1e3),
        n if n < 999_500.0 => format!("{:.0} \u{b5}s", n / 1e3),
        n => format!("{:.2} ms", n / 1e6),
    }
}

fn ratio(ratio: f64) -> String {
    if ratio < 9.995 { format!("{ratio:.2}") } else { format!("{ratio:.1}") }
}
