# An overlay port of this source tree: vcpkg install evenkeel --overlay-ports=apps/packaging/vcpkg
vcpkg_check_features(OUT_FEATURE_OPTIONS features FEATURES blas EVENKEEL_BLAS)
get_filename_component(source ${CURRENT_PORT_DIR}/../../.. ABSOLUTE)
vcpkg_cmake_configure(SOURCE_PATH ${source}
  OPTIONS ${features} -DEVENKEEL_NATIVE=OFF -DEVENKEEL_APPS=OFF -DEVENKEEL_TESTS=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/evenkeel)
file(REMOVE_RECURSE ${CURRENT_PACKAGES_DIR}/debug/include ${CURRENT_PACKAGES_DIR}/debug/share)
vcpkg_install_copyright(FILE_LIST ${source}/LICENSE)
