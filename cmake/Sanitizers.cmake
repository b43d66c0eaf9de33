# Instruments everything in this build: a partly instrumented program reports false races and overflows.
if(COIR_SANITIZE STREQUAL "address")
    set(coir_sanitizers address,undefined)
elseif(COIR_SANITIZE STREQUAL "thread")
    set(coir_sanitizers thread)
elseif(COIR_SANITIZE STREQUAL "fuzzer")
    set(coir_sanitizers address,undefined,fuzzer-no-link)
elseif(COIR_SANITIZE)
    message(FATAL_ERROR "COIR_SANITIZE is address, thread, fuzzer or empty, not '${COIR_SANITIZE}'")
endif()

if(COIR_SANITIZE)
    add_compile_options(-fsanitize=${coir_sanitizers} -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g)
    # No vptr: the shared libraries of spdlog and fmt hide the type information that it needs.
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize=vptr>)
    add_link_options(-fsanitize=${coir_sanitizers})
endif()
