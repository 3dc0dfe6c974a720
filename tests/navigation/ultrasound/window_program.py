"""Opens the window on the screen that DISPLAY names, shows a picture until it is asked to quit, and prints each key."""

import numpy as np

from navigation.clock import NS_PER_S, MonotonicClock
from navigation.ultrasound.window import Key, Window


def main() -> None:
    clock = MonotonicClock()
    end_ns = clock.now_ns() + 30 * NS_PER_S
    window = Window()
    picture = np.full((300, 400, 3), (40, 160, 80), np.uint8)
    while clock.now_ns() < end_ns:
        key = window.show(picture)
        if key is not None:
            print(key.name, flush=True)
        if key is Key.QUIT:
            break
        clock.sleep_until_ns(clock.now_ns() + NS_PER_S // 50)
    window.close()


if __name__ == "__main__":
    main()
