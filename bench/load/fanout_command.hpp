#pragma once

namespace CLI {
class App;
}

namespace bench {

void add_fanout(CLI::App& app);

}  // namespace bench
