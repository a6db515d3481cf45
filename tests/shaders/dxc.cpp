// A `dxc` of the few options that tests/shaders/tools.rs gives it, around the library of Microsoft's shader
// compiler, for systems where only that can be had; scripts/dxc builds it. As the real one, it prints what is
// wrong with an HLSL file and fails.
//
//     dxc -T cs_6_0 -E main [-Fo out] file.hlsl

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "WinAdapter.h"
// The adapter comes first: the header is made for it.
#include "dxcapi.h"

int main(int count, char **arguments) {
    std::vector<std::wstring> words;
    std::string file, out;
    for (int i = 1; i < count; i++) {
        std::string word = arguments[i];
        if (word == "-Fo" && i + 1 < count) {
            out = arguments[++i];
        } else if (word.size() > 5 && word.substr(word.size() - 5) == ".hlsl") {
            file = word;
        } else {
            words.emplace_back(word.begin(), word.end());
        }
    }
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        std::fprintf(stderr, "dxc: cannot read %s\n", file.c_str());
        return 2;
    }
    std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());

    CComPtr<IDxcCompiler3> compiler;
    if (FAILED(DxcCreateInstance(CLSID_DxcCompiler, IID_PPV_ARGS(&compiler)))) {
        std::fprintf(stderr, "dxc: the library has no compiler\n");
        return 2;
    }
    std::vector<const wchar_t *> options;
    for (const auto &word : words) options.push_back(word.c_str());
    DxcBuffer source{text.data(), text.size(), DXC_CP_UTF8};
    CComPtr<IDxcResult> result;
    HRESULT status = E_FAIL;
    if (FAILED(compiler->Compile(&source, options.data(), options.size(), nullptr,
                                 IID_PPV_ARGS(&result)))) {
        std::fprintf(stderr, "dxc: the compiler gave up\n");
        return 2;
    }
    CComPtr<IDxcBlobUtf8> errors;
    result->GetOutput(DXC_OUT_ERRORS, IID_PPV_ARGS(&errors), nullptr);
    if (errors && errors->GetStringLength()) std::fputs(errors->GetStringPointer(), stderr);
    result->GetStatus(&status);
    CComPtr<IDxcBlob> object;
    if (FAILED(status) || FAILED(result->GetOutput(DXC_OUT_OBJECT, IID_PPV_ARGS(&object), nullptr)) ||
        !object || !object->GetBufferSize()) {
        return 1;
    }
    if (!out.empty()) {
        std::ofstream written(out, std::ios::binary);
        written.write(static_cast<const char *>(object->GetBufferPointer()), object->GetBufferSize());
        return written ? 0 : 2;
    }
    return 0;
}
