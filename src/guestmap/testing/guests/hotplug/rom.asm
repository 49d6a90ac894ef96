; The option ROM's headers, and the way from real mode into flat 32-bit protected mode.
;
; Plug and Play BIOS Specification 1.0A, section 3.2. The builder fills in the length and both
; checksums. SeaBIOS finds the boot entry vector, and calls it when nothing else boots first.

        bits    16
rom:
        dw      0xAA55
        db      0                       ; length, in units of 512 bytes
        jmp     near rom_initialize     ; called during POST
        times   0x1A - ($ - rom) db 0
        dw      plug_and_play - rom
        align   16, db 0
plug_and_play:
        db      "$PnP", 1, 2            ; revision; length in units of 16 bytes
        dw      0                       ; no other header
        db      0, 0                    ; reserved, checksum
        dd      0                       ; device
        dw      manufacturer - rom, product - rom
        db      0, 0, 0                 ; kind of device: of no class
        db      0x64                    ; may be in shadow RAM; may be cached; boots
        dw      0, 0                    ; no connection vector, no disconnect vector
        dw      rom_boot - rom
        dw      0, 0                    ; reserved, no static resources
manufacturer:
        db      "guestmap", 0
product:
        db      "memory hot-plug guest", 0

rom_initialize:
        mov     ax, 0x20                ; something to boot is attached
        retf

; The boot entry: copies the image to where it can have variables, and goes on there.
rom_boot:
        cli
        cld
        mov     ax, cs
        mov     ds, ax
        mov     ax, BASE >> 4
        mov     es, ax
        xor     si, si
        xor     di, di
        mov     cx, (image_end - rom + 1) / 2
        rep     movsw
        jmp     BASE >> 4:.copied - rom
.copied:
        mov     ds, ax
        in      al, PORT_92
        or      al, 2
        and     al, 0xFE                ; bit 0 would reset
        out     PORT_92, al
        o32 lgdt [gdt_register - rom]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword FLAT_CODE:main

        align   8, db 0
gdt:
        dq      0
        dq      0x00CF9B000000FFFF
        dq      0x00CF93000000FFFF
gdt_register:
        dw      $ - gdt - 1
        dd      gdt

FLAT_CODE       equ     8
FLAT_DATA       equ     16
        bits    32
