//! The machine that all this runs on.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Outcome;

/// Two CPUs to part the sides of a run: different cores, if this process may use two.
#[derive(Clone, Copy, Debug)]
pub struct Cpus {
    pub host: usize,
    pub clients: usize,
}

impl Cpus {
    /// None where this process may use only one CPU.
    pub fn find() -> Outcome<Option<Self>> {
        let all = allowed()?;
        let Some(&host) = all.last() else { return Ok(None) };
        let others: Vec<usize> = all.iter().copied().filter(|&cpu| cpu != host).collect();
        let siblings = siblings(host);
        let apart = others.iter().find(|cpu| !siblings.contains(cpu));
        Ok(apart.or(others.first()).map(|&clients| Self { host, clients }))
    }
}

/// Which CPUs this process may use.
fn allowed() -> Outcome<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// The CPUs that share a core with this one.
fn siblings(cpu: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    let text = fs::read_to_string(path).unwrap_or_default();
    let ranges = text.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<usize>().ok()?..=last.parse().ok()?)
    });
    ranges.flatten().collect()
}

/// Keeps this process, and all threads that it starts from here on, on one CPU.
pub fn stay_on(cpu: usize) -> Outcome {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

/// As many open files as this user may have: a thousand clients need more than is usual.
pub fn allow_many_files() -> Outcome {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// A line about the machine.
pub fn describe() -> String {
    let model = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown CPU".into());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = allowed().map_or(0, |cpus| cpus.len());
    format!("{cpus} CPUs of {model}, Linux {}", kernel.trim())
}

/// How busy the machine is, as `/proc/loadavg` has it for the last minute.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn line_of(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
