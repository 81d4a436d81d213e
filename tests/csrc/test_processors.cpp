#include "check.h"
#include "error.h"
#include "processors.h"

#include <filesystem>
#include <fstream>
#include <string>

namespace fs = std::filesystem;

namespace {

// A folder that stands for the root of a machine.
struct machine {
    machine() : root(fs::temp_directory_path() / "jan-test-processors") { fs::remove_all(root); }
    ~machine() { fs::remove_all(root); }

    machine & file(const std::string & path, const std::string & content) {
        fs::create_directories((root / path).parent_path());
        std::ofstream(root / path) << content;
        return *this;
    }

    int quota() const { return jan::processor_quota(root.string()); }

    fs::path root;
};

const std::string v2_mount = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
const std::string v1_mount = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

void without_control_groups_there_is_no_limit() {
    CHECK(machine().quota() == 0);
    CHECK(machine().file("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n").quota() == 0);
    CHECK(machine().file("proc/self/mountinfo", "nonsense\n\n- cgroup2\n").quota() == 0);
}

void version_2_is_read_up_to_the_top() {
    machine m;
    m.file("proc/self/mountinfo", v2_mount).file("proc/self/cgroup", "0::/a/b\n");
    CHECK(m.quota() == 0);
    m.file("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    CHECK(m.quota() == 0);
    m.file("sys/fs/cgroup/a/cpu.max", "350000 100000\n");
    CHECK(m.quota() == 4);  // a parent's limit counts, and three and a half take four threads
    m.file("sys/fs/cgroup/a/b/cpu.max", "200000 100000\n");
    CHECK(m.quota() == 2);
    m.file("sys/fs/cgroup/cpu.max", "10000 100000\n");
    CHECK(m.quota() == 1);
    m.file("sys/fs/cgroup/cpu.max", "torn");
    CHECK(m.quota() == 2);
}

void version_1_is_the_hierarchy_that_counts_processor_time() {
    machine m;
    m.file("proc/self/mountinfo",
           "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n" + v1_mount);
    m.file("proc/self/cgroup", "3:cpuset:/other\n1:cpu,cpuacct:/mine\n0::/\n");
    m.file("sys/fs/cgroup/cpu,cpuacct/mine/cpu.cfs_period_us", "50000\n");
    m.file("sys/fs/cgroup/cpu,cpuacct/mine/cpu.cfs_quota_us", "-1\n");
    CHECK(m.quota() == 0);
    m.file("sys/fs/cgroup/cpu,cpuacct/mine/cpu.cfs_quota_us", "150000\n");
    CHECK(m.quota() == 3);
    // With both versions mounted, the tighter limit holds.
    m.file("proc/self/mountinfo", v1_mount + v2_mount).file("sys/fs/cgroup/cpu.max", "200000 100000");
    CHECK(m.quota() == 2);
}

void a_container_sees_its_own_part_only() {
    machine m;
    m.file("proc/self/mountinfo", "32 31 0:29 /docker/c1 /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
    m.file("proc/self/cgroup", "1:cpu:/docker/c1/task\n");
    m.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
    m.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000");
    m.file("sys/fs/cgroup/cpu/task/cpu.cfs_period_us", "100000");
    m.file("sys/fs/cgroup/cpu/task/cpu.cfs_quota_us", "100000");
    CHECK(m.quota() == 1);
    m.file("proc/self/cgroup", "1:cpu:/elsewhere/task\n");
    CHECK(m.quota() == 3);
}

}  // namespace

int main() {
    without_control_groups_there_is_no_limit();
    version_2_is_read_up_to_the_top();
    version_1_is_the_hierarchy_that_counts_processor_time();
    a_container_sees_its_own_part_only();

    CHECK(jan::default_n_threads() >= 1);
    const int quota = jan::processor_quota("");
    CHECK(quota == 0 || jan::default_n_threads() <= quota);
    CHECK(jan::checked_n_threads(0) == jan::default_n_threads());
    CHECK(jan::checked_n_threads(1) == 1);
    CHECK_DONE();
}
