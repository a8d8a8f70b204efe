#include "sidecar/net/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace sidecar {
namespace {

bool is_executable_file(const std::string& path) {
    std::error_code ec;
    return std::filesystem::is_regular_file(path, ec) && ::access(path.c_str(), X_OK) == 0;
}

constexpr int exec_failed = 127;

// Runs in the child: other threads are gone while their locks may be held, so system calls only.
[[noreturn]] void become(const char* program, char* const* arguments, int output, int kept, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(exec_failed);  // it died before the signal was asked for
    ::setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    const int null = ::open("/dev/null", O_RDONLY);
    if (null >= 0) ::dup2(null, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    unsigned first_closed = 3;
    if (kept >= 0) {
        // dup2 onto itself would leave close-on-exec set.
        if (kept == 3) {
            ::fcntl(3, F_SETFD, 0);
        } else {
            ::dup2(kept, 3);
        }
        first_closed = 4;
    }
    ::close_range(first_closed, ~0U, 0);
    ::execv(program, arguments);
    ::_exit(exec_failed);
}

}  // namespace

std::optional<std::string> find_program(const std::string& name) {
    if (name.find('/') != std::string::npos)
        return is_executable_file(name) ? std::optional(name) : std::nullopt;
    const char* path = std::getenv("PATH");
    std::string_view rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
    while (!rest.empty()) {
        const std::size_t colon = rest.find(':');
        const std::string candidate = std::string(rest.substr(0, colon)) + "/" + name;
        if (is_executable_file(candidate)) return candidate;
        if (colon == std::string_view::npos) break;
        rest.remove_prefix(colon + 1);
    }
    return std::nullopt;
}

pid_t start_child(const child_start& start) {
    std::vector<std::string> texts{start.program};
    texts.insert(texts.end(), start.arguments.begin(), start.arguments.end());
    std::vector<char*> arguments;
    arguments.reserve(texts.size() + 1);
    for (std::string& text : texts) arguments.push_back(text.data());
    arguments.push_back(nullptr);

    const int output = ::open(start.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (output < 0) return -1;
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) become(start.program.c_str(), arguments.data(), output, start.kept_descriptor, parent);
    ::close(output);
    return child;
}

std::string describe_end(int wait_status) {
    if (WIFSIGNALED(wait_status)) {
        const int number = WTERMSIG(wait_status);
        return "signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
    }
    return "exit status " + std::to_string(WEXITSTATUS(wait_status));
}

}  // namespace sidecar
