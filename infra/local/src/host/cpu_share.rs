//! The CPU share of a process: on Lambda a function gets CPU in proportion to its memory.
//!
//! "At 1,769 MB, a function has the equivalent of one vCPU":
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>. The kernel's control groups hold a process to
//! such a share, in periods of 20 ms.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The memory of a function with one vCPU, in MiB.
const ONE_VCPU_MIB: u64 = 1_769;
/// The period within which a process gets its share, in microseconds.
const PERIOD_US: u64 = 20_000;

/// How this machine's control groups limit CPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CpuShares {
    /// The first version: a hierarchy of its own for CPU.
    V1,
    /// The second version, with the controller `cpu` for children of the root.
    V2,
}

impl CpuShares {
    /// The version that this process may use. Errors with one sentence if it may use none.
    pub fn find() -> Result<CpuShares, String> {
        let probe = |shares: &CpuShares| shares.group("probe", 1_769).is_ok();
        let found = [CpuShares::V1, CpuShares::V2].into_iter().find(probe);
        found.ok_or_else(|| "CPU_SHARES needs control groups that this user may create, as root on Linux".to_owned())
    }

    /// Holds a process with this id to the share of a function with this memory, until the result is dropped.
    pub fn hold(self, pid: u32, memory_mib: u32) -> io::Result<CpuShare> {
        let share = self.group(&pid.to_string(), memory_mib)?;
        fs::write(share.0.join("cgroup.procs"), pid.to_string())?;
        Ok(share)
    }

    /// Makes a group with the share of this memory.
    fn group(self, name: &str, memory_mib: u32) -> io::Result<CpuShare> {
        let root = match self {
            CpuShares::V1 => Path::new("/sys/fs/cgroup/cpu"),
            CpuShares::V2 => Path::new("/sys/fs/cgroup"),
        };
        let group = root.join(format!("function-{}-{name}", std::process::id()));
        fs::create_dir(&group)?;
        let share = CpuShare(group);
        let quota_us = PERIOD_US * u64::from(memory_mib) / ONE_VCPU_MIB;
        match self {
            CpuShares::V1 => {
                share.set("cpu.cfs_period_us", &PERIOD_US.to_string())?;
                share.set("cpu.cfs_quota_us", &quota_us.to_string())?;
            }
            CpuShares::V2 => share.set("cpu.max", &format!("{quota_us} {PERIOD_US}"))?,
        }
        Ok(share)
    }
}

/// A control group. Dropping it removes it, so its process must have ended.
pub struct CpuShare(PathBuf);

impl CpuShare {
    /// Writes a file that the group already has. (Elsewhere than in a hierarchy of groups, it would be created.)
    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        io::Write::write_all(&mut fs::OpenOptions::new().write(true).open(self.0.join(file))?, value.as_bytes())
    }
}

impl Drop for CpuShare {
    fn drop(&mut self) {
        // A group that is left over is empty and does nothing.
        let _ = fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where control groups can be created, as root on Linux.
    #[test]
    fn a_process_uses_no_more_cpu_than_its_share() {
        let Ok(shares) = CpuShares::find() else { return };
        let mut child = std::process::Command::new("/bin/sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let share = shares.hold(child.id(), 177).unwrap();
        // A tenth of a core: 2 ms in each period of 20 ms. Each look reads the periods and the CPU time together.
        let used_us = |pid: u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
            stat.split(' ').next().unwrap().parse::<u64>().unwrap() / 1000
        };
        let periods = || {
            let stat = fs::read_to_string(share.0.join("cpu.stat")).unwrap();
            let line = stat.lines().find_map(|line| line.strip_prefix("nr_periods ")).unwrap();
            line.parse::<u64>().unwrap()
        };
        let (began, used_before) = (periods(), used_us(child.id()));
        while periods() < began + 50 {
            std::thread::yield_now();
        }
        let used_us = used_us(child.id()) - used_before;
        child.kill().unwrap();
        child.wait().unwrap();
        // 50 periods of 2 ms, and what the kernel grants in slices of 5 ms beyond.
        assert!(used_us <= 50 * 2_001 + 10_000, "{used_us} µs in 50 periods");
    }
}
