# Finds Boost.Context: defines Boost::context and Boost::headers. Also installed beside coirConfig.cmake, which includes
# it. Tries Boost's own package file first, then CMake's FindBoost, for a Boost without a package file; CMake 4 warns of
# FindBoost unless its policy is set.
find_package(Boost 1.74 CONFIG QUIET GLOBAL COMPONENTS context)
if(NOT Boost_FOUND)
    cmake_policy(PUSH)
    if(POLICY CMP0167)
        cmake_policy(SET CMP0167 OLD)
    endif()
    find_package(Boost 1.74 MODULE QUIET GLOBAL COMPONENTS context)
    cmake_policy(POP)
endif()
