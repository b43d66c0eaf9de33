# Finds Boost.Context: Boost::context and Boost::headers. Also installed beside coirConfig.cmake, which includes it.
# Boost's own package file comes first. CMake's FindBoost is for a Boost that was installed without one; CMake 4 warns of
# it unless its policy is set.
find_package(Boost 1.74 CONFIG QUIET GLOBAL COMPONENTS context)
if(NOT Boost_FOUND)
    cmake_policy(PUSH)
    if(POLICY CMP0167)
        cmake_policy(SET CMP0167 OLD)
    endif()
    find_package(Boost 1.74 MODULE QUIET GLOBAL COMPONENTS context)
    cmake_policy(POP)
endif()
