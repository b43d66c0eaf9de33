#include "work.hpp"

#include <string>

int main(int argc, char** argv) {
    const std::string how = argc > 1 ? argv[1] : "careful";
    if (how == "nothing") return 0;
    how == "careless" ? careless() : careful();
    return how == "failing" ? 1 : 0;
}
