#include "work.hpp"

#include <string>

int main(int argc, char** argv) {
    const std::string how = argc > 1 ? argv[1] : "careful";
    how == "careless" ? careless() : careful();
    return how == "failing" ? 1 : 0;
}
