#pragma once
// Messages that real Celery wrote; golden/make.py makes them again.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace tests {

inline const std::vector<std::string> golden_releases{"celery-5.7", "celery-5.2"};

inline std::string golden(const std::string& release, const std::string& name) {
    std::ifstream file(std::filesystem::path(GOLDEN_FOLDER) / release / name, std::ios::binary);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace tests
