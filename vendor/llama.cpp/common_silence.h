// What upstream's common/ logs when a parse fails is the whole answer, in a log that others read.
#pragma once

// While alive, common/ logs nothing on this thread.
class common_silence {
  public:
    common_silence();
    ~common_silence();
    common_silence(const common_silence &) = delete;
    common_silence & operator=(const common_silence &) = delete;
};
