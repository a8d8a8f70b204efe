#include <csignal>
#include <cstdio>
#include <exception>

#include "sidecar/cli/commands.hpp"

int main(int argc, char** argv) {
    // A client or upstream that is gone shows as an error of the write, not as the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
    try {
        return sidecar::run_command({argv + (argc > 0 ? 1 : 0), argv + argc});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "sidecar: %s\n", error.what());
        return sidecar::exit_status::failed;
    }
}
