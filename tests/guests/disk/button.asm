; A boot sector: says "!" on the serial port, waits for the power button, and switches itself off.
        org 0x7c00
        bits 16

PM_STATUS equ 0x600             ; where SeaBIOS puts the PIIX4's registers
PM_CONTROL equ 0x604
BUTTON  equ 0x100
SOFT_OFF equ 0x2000             ; SLP_EN, type 0

start:  mov dx, 0x3f8
        mov al, '!'
        out dx, al
        sti
again:  hlt                     ; until the timer's next tick
        mov dx, PM_STATUS
        in ax, dx
        test ax, BUTTON
        jz again
        out dx, ax
        mov dx, PM_CONTROL
        mov ax, SOFT_OFF
        out dx, ax
        jmp again
        times 510-($-$$) db 0
        dw 0xaa55
